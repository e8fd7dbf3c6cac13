"""The one interface of all generated predictors."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..hw.config import SCORE_BITS, UnitConfig, bits_for
from ..hw.interfaces import (
    PageBusSignature,
    TableSignature,
    candidate_stream,
    event_stream,
    page_control_layout,
    page_pulses_layout,
)

HOLD_BITS = 32
"""Width of the setting `hold_cycles`."""


class PredictorSignature(wiring.Signature):
    """Ports of a predictor: events go in, candidates for the next event come out.

    At each event a predictor first predicts the next one, from its tables as all earlier events have left
    them, then learns from the same event. A new event's first accepted beat ends the emission of the old
    prediction: what is left is never generated, and a candidate on offer is withdrawn (so `valid` may fall
    without a transfer then, and only then).

    Members
    -------
    event : In(event_stream)
        An event's beats, members in router order, each expert at most once; `event`, `layer` and
        `sequence_start` are the same on all of them. A beat with `member` = 0 carries no expert. Event
        numbers count up from 0 at reset. Layers are below `n_layers`, experts below `n_experts`.
    candidate : Out(candidate_stream)
        Experts expected in event number `event` + 1 (later where a predictor says so), in descending score, ties to
        the lower expert; `last` is set on the final one. A prediction may be empty: then there is no beat at all.
        `source` is 0.
    table : In(TableSignature)
        Access to the predictor's table, for loading and paging.
    event_end : In
        Pulse: the open event has ended. Event number n is ended by the pulse number n, counted from 0 at
        reset; that may be before the predictor has taken the event's beats.
    n_layers, n_experts : In
        Live geometry, at most the generated one; constant while `busy`.
    row_entries : In
        Entries of a table row in use, the model's top-k; those behind must have confidence 0, as after reset.
    min_score : In
        Experts with a lower score are no candidates; sampled while candidates are searched.
    hold_cycles : In
        Cycles from the end of an event to the emission of its prediction; only where the predictor holds.
    enable : In
        The predictor is selected: sampled with an event's first beat. Not selected it learns silently.
    busy : Out
        An event is open or being learnt, or candidates are left.
    wait : Out
        High in each cycle in which a beat waits because the previous event is not finished with the tables, or the
        event's tables are not on chip.
    parity_error : Out
        Only with `parity`. Pulse: a word of a table was read with wrong parity, and the table has nothing there.
    pages : Out(PageBusSignature), page_control : In(page_control_layout), page_pulses : Out(page_pulses_layout)
        Only where tables lie in memory: pages or rows on their way, what governs it, and what there is to count.
    """

    def __init__(self, config: UnitConfig):
        super().__init__(
            paging_members(config)
            | parity_members(config)
            | {
                "event": In(event_stream(config)),
                "candidate": Out(candidate_stream(config)),
                "table": In(TableSignature(config)),
                "event_end": In(1),
                "n_layers": In(bits_for(config.max_layers + 1)),
                "n_experts": In(bits_for(config.max_experts + 1)),
                "row_entries": In(bits_for(config.max_top_k + 1), init=config.max_top_k),
                "min_score": In(SCORE_BITS),
                "hold_cycles": In(HOLD_BITS),
                "enable": In(1),
                "busy": Out(1),
                "wait": Out(1),
            }
        )


def parity_members(config: UnitConfig) -> dict[str, wiring.Member]:
    """Return the port that a predictor, or several side by side, have besides if memories have parity."""
    return {"parity_error": Out(1)} if config.parity else {}


def paging_members(config: UnitConfig) -> dict[str, wiring.Member]:
    """Return the ports that a predictor, or several side by side, have besides if tables are paged."""
    if not config.pages_tables:
        return {}
    return {
        "pages": Out(PageBusSignature(config)),
        "page_control": In(page_control_layout()),
        "page_pulses": Out(page_pulses_layout(config)),
    }

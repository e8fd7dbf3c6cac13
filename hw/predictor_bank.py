"""All generated predictors side by side: every one learns, the selected one emits."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..predictor_rtl.interface import paging_members, parity_members
from ..predictor_rtl.st_moe import StMoePredictor
from ..predictor_rtl.st_moe_paper import StMoePaperPredictor
from ..predictor_rtl.weights import WeightsPredictor
from .config import UnitConfig, bits_for
from .interfaces import TableSignature, WeightPortSignature, candidate_stream, event_stream

PREDICTORS = {"st_moe": StMoePredictor, "st_moe_paper": StMoePaperPredictor, "weights": WeightsPredictor}
"""Name -> component class."""


class PredictorBank(wiring.Component):
    """Hands each event to all predictors at once and passes the selected one's candidates on.

    Latency: none of its own. Throughput: that of the slowest predictor's event port.

    Members
    -------
    event : In(event_stream), candidate : Out(candidate_stream)
    tables : In(TableSignature), one for each predictor
    weights : In(WeightPortSignature), only with predictor `weights`
    pages, page_control, page_pulses
        Only where tables lie in memory, which goes with one predictor: its.
    selected : In
        Index + 1 in `config.predictors`; 0 is none.
    n_layers, n_experts, row_entries, min_score, hold_cycles, event_end : In
        As in `predictor_rtl.interface`.
    busy, wait : Out
        Any predictor is busy; a beat waits for one's updates.
    parity_error : Out
        Only with `parity`: any predictor's.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        optional = {"weights": In(WeightPortSignature(config))} if config.has_weights else {}
        super().__init__(
            optional
            | paging_members(config)
            | parity_members(config)
            | {
                "event": In(event_stream(config)),
                "candidate": Out(candidate_stream(config)),
                "tables": In(TableSignature(config)).array(len(config.predictors)),
                "selected": In(bits_for(len(config.predictors) + 1)),
                "n_layers": In(bits_for(config.max_layers + 1)),
                "n_experts": In(bits_for(config.max_experts + 1)),
                "row_entries": In(bits_for(config.max_top_k + 1)),
                "min_score": In(8),
                "hold_cycles": In(32),
                "event_end": In(1),
                "busy": Out(1),
                "wait": Out(1),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        predictors = [PREDICTORS[name](config=self._config) for name in self._config.predictors]
        all_ready = Signal()
        m.d.comb += [all_ready.eq(1), self.event.ready.eq(all_ready), self.wait.eq(self.event.valid & ~all_ready)]
        for predictor in predictors:
            with m.If(~predictor.event.ready):
                m.d.comb += all_ready.eq(0)
        for index, predictor in enumerate(predictors):
            name = self._config.predictors[index]
            # Paged tables come for a beat that waits, and then have no predictor beside theirs to wait for.
            given = self.event.valid if self._config.pages_tables else self.event.valid & all_ready
            m.submodules[name] = predictor
            wiring.connect(m, wiring.flipped(self.tables[index]), predictor.table)
            if name == "weights":
                wiring.connect(m, wiring.flipped(self.weights), predictor.weights)
            if self._config.pages_tables:
                wiring.connect(m, predictor.pages, wiring.flipped(self.pages))
                m.d.comb += [
                    predictor.page_control.eq(self.page_control),
                    self.page_pulses.eq(predictor.page_pulses),
                ]
            for setting in ("n_layers", "n_experts", "row_entries", "min_score", "hold_cycles", "event_end"):
                m.d.comb += getattr(predictor, setting).eq(getattr(self, setting))
            m.d.comb += [
                predictor.event.payload.eq(self.event.payload),
                predictor.event.valid.eq(given),
                predictor.enable.eq(self.selected == index + 1),
            ]
            with m.If(self.selected == index + 1):
                m.d.comb += [
                    self.candidate.payload.eq(predictor.candidate.payload),
                    self.candidate.valid.eq(predictor.candidate.valid),
                    predictor.candidate.ready.eq(self.candidate.ready),
                ]
            if self._config.parity:
                with m.If(predictor.parity_error):
                    m.d.comb += self.parity_error.eq(1)
            with m.If(predictor.busy):
                m.d.comb += self.busy.eq(1)
        return m

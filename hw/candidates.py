"""Candidate merge: the predictor's and the hint port's candidates on one stream."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .config import EVENT_BITS, UnitConfig, bits_for
from .interfaces import candidate_stream, hint_layout
from .records import Source


class CandidateMerge(wiring.Component):
    """Offers predicted and hinted candidates to the core, one stream, in the order that registers ask for.

    A hint's target is the next event of its layer after `current`, one full ring of `n_layers` events later
    if it is the current layer; before the first event (`started` = 0) the ring is taken to begin with layer 0
    at event 0. A waiting hint's target follows `current`: it is always that at the moment of commit. So,
    unlike a plain stream's, the payload of `candidate` may change while it waits, when an event closes or
    when the source that goes first joins; `valid` pauses for the cycle after `current` has changed while a
    target is renewed.

    Latency: a predicted candidate passes in the same cycle, a hint takes `latency` = 1 cycle.
    Throughput: 1 candidate a cycle. A disabled source's beats are taken at 1 a cycle and vanish.

    Members
    -------
    predicted : In(candidate_stream)
        Candidates of the selected predictor; `source` is ignored.
    hint : In(stream)
        Hints; one with a layer or expert out of range is dropped.
    candidate : Out(candidate_stream)
        Candidates with target and source. `last` is that of the beat.
    current, current_layer : In
        Number and layer of the last event that closed.
    closing : In
        Pulse: an event closes, `current`, or `started`, changes in the next cycle.
    started : In
        0 until the first event has closed; both of the above then mean nothing.
    n_layers, n_experts : In
        Live geometry.
    hints_first : In
        While both sources wait, the hint goes first; else the predicted candidate.
    predictor_enable, hints_enable : In
        Whether the source is heard.
    fault : Out
        High in each cycle in which a hint out of range is taken from an enabled port.
    """

    latency = 1

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            {
                "predicted": In(candidate_stream(config)),
                "hint": In(stream.Signature(hint_layout(config))),
                "candidate": Out(candidate_stream(config)),
                "current": In(EVENT_BITS),
                "current_layer": In(config.layer_bits),
                "closing": In(1),
                "started": In(1),
                "n_layers": In(bits_for(config.max_layers + 1)),
                "n_experts": In(bits_for(config.max_experts + 1)),
                "hints_first": In(1),
                "predictor_enable": In(1),
                "hints_enable": In(1),
                "fault": Out(1),
            }
        )
        self._held = candidate_stream(config).create()

    def elaborate(self, platform):
        """Build the hint register and the choice between the sources."""
        m = Module()
        self._elaborate_hint(m)
        held, predicted, candidate = self._held, self.predicted, self.candidate
        hint_leads = Signal()
        take_predicted = Signal()
        m.d.comb += [
            hint_leads.eq(held.valid & self.hints_first),
            take_predicted.eq(predicted.valid & self.predictor_enable & ~hint_leads),
            candidate.valid.eq(held.valid | take_predicted),
            # `ready` does not wait for `valid`, which a predictor knows late.
            predicted.ready.eq(~self.predictor_enable | (candidate.ready & ~hint_leads)),
            held.ready.eq(candidate.ready & ~take_predicted),
        ]
        # `predicted.valid` is known last, and only chooses.
        first = Signal.like(candidate.payload)
        with m.If(hint_leads):
            m.d.comb += first.eq(held.payload)
        with m.Else():
            m.d.comb += [first.eq(predicted.payload), first.source.eq(Source.PREDICTOR)]
        m.d.comb += candidate.payload.eq(Mux(predicted.valid & self.predictor_enable, first, held.payload))
        return m

    def _elaborate_hint(self, m):
        """Hold one hint, its target renewed every cycle."""
        hint, held = self.hint, self._held
        occupied = Signal()
        fresh = Signal(init=1)  # the held target was computed from what `current` is now
        in_range = Signal()
        do_load = Signal()
        m.d.comb += [
            in_range.eq((hint.payload.layer < self.n_layers) & (hint.payload.expert < self.n_experts)),
            held.valid.eq(occupied & self.hints_enable & fresh),
            hint.ready.eq(~self.hints_enable | ~occupied | (held.valid & held.ready)),
            do_load.eq(hint.valid & hint.ready & self.hints_enable & in_range),
            self.fault.eq(hint.valid & hint.ready & self.hints_enable & ~in_range),
            held.payload.source.eq(Source.HINT),
        ]
        with m.If(do_load):
            m.d.sync += occupied.eq(1)
            m.d.sync += [held.payload[name].eq(hint.payload[name]) for name in ("layer", "expert", "score", "last")]
        with m.Elif((held.valid & held.ready) | ~self.hints_enable):
            m.d.sync += occupied.eq(0)
        # Whether a hint is loaded is known late in the cycle: both targets are there by then.
        targets = [self._target(m, payload.layer) for payload in (hint.payload, held.payload)]
        m.d.sync += [held.payload.target.eq(Mux(do_load, *targets)), fresh.eq(~self.closing)]

    def _target(self, m, layer):
        """Return the number of the next event of `layer`."""
        ahead = Signal(bits_for(self._config.max_layers + 1))
        with m.If(layer > self.current_layer):
            m.d.comb += ahead.eq(layer - self.current_layer)
        with m.Else():
            m.d.comb += ahead.eq(layer - self.current_layer + self.n_layers)
        return Mux(self.started, self.current + ahead, layer)

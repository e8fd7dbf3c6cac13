"""The model around the unit in a replay: attention, router and processing elements, in HDL."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, connect, flipped

from .config import UnitConfig
from .interfaces import SlotReadSignature, grant_layout, hint_layout, route_layout
from .records import GrantStatus
from .replay_element import ReplayElement
from .replay_words import ADDRESS_BITS, BEAT, HEADER, HINT, WORD_BITS
from .replay_workload import RESULTS, expert_ports, workload_ports


class ReplayAgent(wiring.Component):
    """Plays a recorded trace against the unit, with the timing of the replay contract.

    For each event: `attention_cycles` (and `step_cycles` before a step's first) of attention; router beats,
    one a cycle; the hints behind them, one a cycle; grants go to the lowest idle processing element; when the
    unit takes router beats again the event has ended, and the next one's attention begins.

    Latency: the first router beat is valid the attention (at least 1) + 2 cycles after `route.ready` has come back; a
    release is offered 2 cycles after its element offers it.
    Throughput: one router beat, one hint, one grant and one release a cycle.

    Members
    -------
    route, hint : Out(stream) ; grant : In(stream) ; release : Out(stream)
    read : Out(SlotReadSignature) * n_pe
    trace_address : Out, trace_data : In
        The trace's words (replay_words), answered one cycle later.
    start, n_events : In
        Play events until `n_events` are done; `done` then stays 1.
    attention_cycles, step_cycles, expert_cycles, expert_beats : In
    base, layer_stride, expert_stride : In
        The workload.
    granted, errors, words, wrong_words : Out
        Grants and error grants taken; words read back from slots, and how many were not the memory's.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            {
                "route": Out(stream.Signature(route_layout(config))),
                "hint": Out(stream.Signature(hint_layout(config))),
                "grant": In(stream.Signature(grant_layout(config))),
                "release": Out(stream.Signature(grant_layout(config))),
                "read": Out(SlotReadSignature(config)).array(config.n_pe),
                "trace_address": Out(ADDRESS_BITS),
                "trace_data": In(WORD_BITS),
                **workload_ports(config),
                **RESULTS,
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        self._play(m)
        self._elements(m)
        return m

    def _word_as(self, fields):
        layout = data.StructLayout(fields)
        return data.View(layout, self.trace_data[: layout.size])

    def _play(self, m):
        header, beat, hint = self._word_as(HEADER), self._word_as(BEAT), self._word_as(HINT)
        at, advance = Signal(ADDRESS_BITS), Signal()
        event = Signal(data.StructLayout(HEADER))
        left, wait = Signal(16), Signal(33)
        m.d.comb += self.trace_address.eq(at + advance)
        m.d.sync += at.eq(self.trace_address)
        m.d.comb += [
            self.route.payload.layer.eq(event.layer),
            self.route.payload.expert.eq(beat.expert),
            self.route.payload.score.eq(beat.score),
            self.route.payload.token_last.eq(beat.token_last),
            self.route.payload.last.eq(left == 1),
            self.route.payload.sequence_start.eq(event.sequence_start),
            self.hint.payload.layer.eq(hint.layer),
            self.hint.payload.expert.eq(hint.expert),
            self.hint.payload.score.eq(hint.score),
            self.hint.payload.last.eq(left == 1),
        ]
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start & (self.n_events != 0)):
                    m.next = "HEADER"
            with m.State("HEADER"):
                m.d.comb += advance.eq(1)
                m.d.sync += [
                    event.eq(header),
                    left.eq(header.n_beats),
                    wait.eq(self.attention_cycles + Mux(header.step_first, self.step_cycles, 0)),
                ]
                m.next = "ATTENTION"
            with m.State("ATTENTION"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait <= 1):
                    m.next = "ROUTE"
            with m.State("ROUTE"):
                m.d.comb += self.route.valid.eq(1)
                with m.If(self.route.ready):
                    m.d.comb += advance.eq(1)
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 1):
                        m.d.sync += left.eq(event.n_hints)
                        m.next = "EXPERTS"
                        with m.If(event.n_hints != 0):
                            m.next = "HINTS"
            with m.State("HINTS"):
                m.d.comb += self.hint.valid.eq(1)
                with m.If(self.hint.ready):
                    m.d.comb += advance.eq(1)
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 1):
                        m.next = "EXPERTS"
            with m.State("EXPERTS"):
                with m.If(self.route.ready):
                    m.d.sync += self.events.eq(self.events + 1)
                    m.next = "HEADER"
                    with m.If(self.events + 1 == self.n_events):
                        m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.done.eq(1)

    def _elements(self, m):
        """Give grants to the lowest idle element and queue what elements release, lowest first."""
        config = self._config
        elements = [ReplayElement(config=config) for _ in range(config.n_pe)]
        layout = grant_layout(config)
        m.submodules.releases = releases = SyncFIFOBuffered(width=layout.size, depth=2 * config.n_pe)
        m.d.comb += [
            self.release.valid.eq(releases.r_rdy),
            self.release.payload.eq(releases.r_data),
            releases.r_en.eq(self.release.ready),
        ]
        granted, failed = Signal(), Signal()
        for index, element in enumerate(elements):
            m.submodules[f"element_{index}"] = element
            connect(m, element.read, flipped(self.read[index]))
            for name in expert_ports(config):
                m.d.comb += getattr(element, name).eq(getattr(self, name))
            m.d.comb += element.grant.payload.eq(self.grant.payload)
        for element in reversed(elements):
            with m.If(element.grant.ready):
                m.d.comb += self.grant.ready.eq(1)
            with m.If(element.release.valid):
                m.d.comb += releases.w_data.eq(element.release.payload)
        earlier_ready = earlier_valid = 0
        for element in elements:
            m.d.comb += [
                element.grant.valid.eq(self.grant.valid & ~earlier_ready),
                element.release.ready.eq(releases.w_rdy & ~earlier_valid),
            ]
            earlier_ready = (element.grant.ready | earlier_ready)[0]
            earlier_valid = (element.release.valid | earlier_valid)[0]
        m.d.comb += [
            releases.w_en.eq(earlier_valid),
            granted.eq(self.grant.valid & self.grant.ready),
            failed.eq(granted & (self.grant.payload.status == GrantStatus.ERROR)),
        ]
        m.d.sync += [
            self.granted.eq(self.granted + granted),
            self.errors.eq(self.errors + failed),
            self.words.eq(self.words + sum(element.word for element in elements)),
            self.wrong_words.eq(self.wrong_words + sum(element.wrong_word for element in elements)),
        ]

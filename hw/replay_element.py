"""One processing element of the replay: reads a granted expert's slot, computes, returns the grant."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .config import UnitConfig, bits_for
from .interfaces import SlotReadSignature, grant_layout
from .records import GrantStatus
from .replay_word import ReplayWord
from .replay_workload import expert_ports


class ReplayElement(wiring.Component):
    """Takes a grant, reads its slot one beat a cycle and compares every word with the memory's.

    Latency: the release is offered max(`expert_cycles`, `expert_beats` + 2) cycles after the grant is taken, plus
    one for every read lost to a bank conflict; an error grant's in the next cycle. Throughput: one expert at
    a time.

    Members
    -------
    grant : In(stream), release : Out(stream), read : Out(SlotReadSignature)
    expert_cycles, expert_beats, base, layer_stride, expert_stride : In
        As in the agent.
    word, wrong_word : Out
        Pulses: a word was read back; it was not the memory's.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            {
                "grant": In(stream.Signature(grant_layout(config))),
                "release": Out(stream.Signature(grant_layout(config))),
                "read": Out(SlotReadSignature(config)),
                **expert_ports(config),
                "word": Out(1),
                "wrong_word": Out(1),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        config = self._config
        grant = self.grant.payload
        beat, left = Signal(bits_for(config.slot_beats + 1)), Signal(32)
        address, checked, expected = Signal(64), Signal(), Signal(config.bus_bytes * 8)
        do_read, lost = Signal(), Signal()
        m.d.comb += [
            self.read.slot.eq(self.release.payload.slot),
            self.read.beat.eq(beat),
            do_read.eq(self.read.valid & self.read.ready),
            lost.eq(self.read.valid & ~self.read.ready),
            self.word.eq(checked),
            self.wrong_word.eq(checked & (self.read.data != expected)),
        ]
        m.submodules.memory_word = memory_word = ReplayWord(config=config)
        m.d.comb += memory_word.address.eq(address)
        m.d.sync += [checked.eq(do_read), expected.eq(memory_word.word)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.grant.ready.eq(1)
                with m.If(self.grant.valid):
                    m.d.sync += [
                        self.release.payload.eq(grant),
                        beat.eq(0),
                        left.eq(self.expert_cycles - 1),
                        address.eq(self.base + grant.layer * self.layer_stride + grant.expert * self.expert_stride),
                    ]
                    m.next = "BUSY"
                    with m.If(grant.status == GrantStatus.ERROR):
                        m.next = "RELEASE"
            with m.State("BUSY"):
                m.d.comb += self.read.valid.eq(beat != self.expert_beats)
                with m.If(do_read):
                    m.d.sync += [beat.eq(beat + 1), address.eq(address + config.bus_bytes)]
                with m.If(~lost & (left != 0)):
                    m.d.sync += left.eq(left - 1)
                with m.If((left <= 1) & ~self.read.valid):
                    m.next = "RELEASE"
            with m.State("RELEASE"):
                m.d.comb += self.release.valid.eq(1)
                with m.If(self.release.ready):
                    m.next = "IDLE"
        return m

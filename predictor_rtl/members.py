"""Member sets of the open event and of the one before it."""

from typing import TYPE_CHECKING, Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..hw.config import UnitConfig, bits_for


class MemberSets(wiring.Component):
    """Keeps up to `max_experts` members in router order for each of two events, in two banks of one memory.

    Latency: `count` and `experts` follow `add`, and `read_expert` its index, `latency` = 1 cycle later; a
    read sees the members of earlier cycles. Throughput: one member and one read a cycle.

    Members
    -------
    open : In
        Pulse: the current set becomes empty; a member that is added in the same cycle is its first.
    add : In, expert : In
        Pulse: `expert` joins the current set. It is not in it, and is below `max_experts`.
    swap : In
        Pulse: the current set becomes the previous one; the current is then to be read no more before `open`.
    forget : In
        Pulse: the previous set becomes empty. Not together with `swap`.
    count, previous_count : Out
        Members of the sets.
    experts : Out
        Bit e: expert e is in the current set.
    read_index : In, read_previous : In, read_expert : Out
        Synchronous read of the current or the previous set in router order.
    """

    latency = 1

    def __init__(self, *, config: UnitConfig):
        self._config = config
        count_bits = bits_for(config.max_experts + 1)
        super().__init__(
            {
                "open": In(1),
                "add": In(1),
                "expert": In(config.expert_bits),
                "swap": In(1),
                "forget": In(1),
                "count": Out(count_bits),
                "previous_count": Out(count_bits),
                "experts": Out(config.max_experts),
                "read_index": In(config.expert_bits),
                "read_previous": In(1),
                "read_expert": Out(config.expert_bits),
            }
        )

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        config = self._config
        depth = 2 << config.expert_bits
        m.submodules.banks = banks = Memory(shape=config.expert_bits, depth=depth, init=[])
        write: Any = banks.write_port()
        read: Any = banks.read_port()
        bank = Signal()
        base = Signal.like(self.count)
        m.d.comb += [
            base.eq(Mux(self.open, 0, self.count)),
            write.addr.eq(Cat(base[: config.expert_bits], bank)),
            write.data.eq(self.expert),
            write.en.eq(self.add),
            read.addr.eq(Cat(self.read_index, bank ^ self.read_previous)),
            self.read_expert.eq(read.data),
        ]
        m.d.sync += self.count.eq(base + self.add)
        for index in range(config.max_experts):
            joins = self.add & (self.expert == index)
            m.d.sync += self.experts[index].eq((self.experts[index] & ~self.open) | joins)
        with m.If(self.swap):
            m.d.sync += [bank.eq(~bank), self.previous_count.eq(self.count)]
        with m.Elif(self.forget):
            m.d.sync += self.previous_count.eq(0)
        return m

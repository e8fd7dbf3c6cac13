"""How many events ahead the one lies that each slot's expert is wanted for."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import EVENT_BITS, UnitConfig, bits_for


def ahead_bits(config: UnitConfig) -> int:
    """Return the width of a number of events ahead, 0 to `horizon`."""
    return bits_for(config.horizon + 1)


def events_after(config: UnitConfig, number, current):
    """Return how many events `number` lies after `current`: 0 if it does not, or by more than `horizon`."""
    ahead = (number - current)[:EVENT_BITS]
    return Mux(ahead <= config.horizon, ahead[: ahead_bits(config)], 0)


class EventsAhead(wiring.Component):
    """Counts, for each slot, the events from the last closed one to the slot's stamp: 0 once that one has closed.

    No stamp lies further ahead than `horizon` when it is written. A count that falls as events close says what a
    comparison of two numbers would, early in the cycle, and stays right when the numbers come round.

    Latency: a stamp shows in `ahead` one cycle after `write`, a close one cycle after `closing`. Throughput: one stamp
    a cycle.

    Members
    -------
    write, slot, stamp : In
        The slot's stamp changes; not together with `closing`.
    current : In
        Number of the last event that closed.
    closing : In(1)
        Pulse: `current` goes up by one in the next cycle.
    ahead : Out
        The count of each slot.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            {
                "write": In(1),
                "slot": In(config.slot_bits),
                "stamp": In(EVENT_BITS),
                "current": In(EVENT_BITS),
                "closing": In(1),
                "ahead": Out(data.ArrayLayout(ahead_bits(config), config.slots)),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        written = Signal(ahead_bits(self._config))
        m.d.comb += written.eq(events_after(self._config, self.stamp, self.current))
        for slot in range(self._config.slots):
            ahead = self.ahead[slot]
            with m.If(self.closing):
                m.d.sync += ahead.eq(ahead - ahead.any())
            with m.If(self.write & (self.slot == slot)):
                m.d.sync += ahead.eq(written)
        return m

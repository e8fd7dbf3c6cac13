"""Budget counter: how many prefetches have been queued for each coming event."""

from amaranth import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import EVENT_BITS, UnitConfig, bits_for


class BudgetCounter(wiring.Component):
    """Counts prefetches per target event, for the `horizon` events after the last one that closed.

    The targets in reach, `current + 1` to `current + horizon`, differ modulo `horizon`, so the low bits index
    the counts; an event's close makes its count that of the event `horizon` later.

    Latency: `exhausted` follows a `count_up` `latency` = 3 cycles later, a `close` two and `target` one.
    Throughput: 1 count a cycle.

    Members
    -------
    target : In
        Event number of the candidate, within the horizon.
    count_up : In
        Pulse: a prefetch for `target` is queued. Not while `exhausted`; `close` in the same cycle wins over
        it for a target with the same count.
    budget : In
        Live limit per target event, 0 to `max_experts`.
    exhausted : Out
        The target event has its full budget.
    close : In, number : In
        Pulse: event `number` closes. Events close in order of their numbers.
    """

    latency = 3

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            {
                "target": In(EVENT_BITS),
                "count_up": In(1),
                "budget": In(bits_for(config.max_experts + 1)),
                "exhausted": Out(1),
                "close": In(1),
                "number": In(EVENT_BITS),
            }
        )

    def elaborate(self, platform):
        """Build the counts."""
        m = Module()
        horizon = self._config.horizon
        counts = Array(Signal(bits_for(self._config.max_experts + 1), name=f"count_{i}") for i in range(horizon))
        index_bits = exact_log2(horizon)
        count = counts[self.target[:index_bits]]
        m.d.sync += self.exhausted.eq(count >= self.budget)
        # That a prefetch is queued is known late in the cycle, and counted in the next one.
        queued = Signal()
        queued_index = Signal(index_bits)
        closes_same = self.close & (self.number[:index_bits] == self.target[:index_bits])
        m.d.sync += [queued.eq(self.count_up & ~closes_same), queued_index.eq(self.target[:index_bits])]
        with m.If(queued):
            m.d.sync += counts[queued_index].eq(counts[queued_index] + 1)
        with m.If(self.close):
            m.d.sync += counts[self.number[:index_bits]].eq(0)
        return m

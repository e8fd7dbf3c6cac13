"""A watchdog: tells when something that is waited for has not moved for too long."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

TIMEOUT_BITS = 24
"""Width of a limit: 16.7 million cycles, 17 ms at 1 GHz."""


class Watchdog(wiring.Component):
    """Counts cycles that wait without progress, and expires at the limit.

    Latency: `expired` is 1, for one cycle, in the cycle after the `limit`-th one in a row with `waits` and without
    `progress`; then counting starts over. Throughput: one cycle a cycle.

    Members
    -------
    limit : In
        Cycles, 0 for no limit; a change counts at once.
    waits, progress : In(1)
    expired : Out(1)
    """

    latency = 1

    def __init__(self):
        super().__init__(
            {"limit": In(TIMEOUT_BITS), "waits": In(1), "progress": In(1), "expired": Out(1)},
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        count = Signal(TIMEOUT_BITS, init=1)
        stuck = self.waits & ~self.progress & ~self.expired & (self.limit != 0)
        m.d.sync += [self.expired.eq(stuck & (count >= self.limit)), count.eq(1)]
        with m.If(stuck):
            m.d.sync += count.eq(count + 1)
        return m

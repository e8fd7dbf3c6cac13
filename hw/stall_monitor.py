"""Where the cycles go: names, for every cycle, what the processing elements wait for."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import UnitConfig, bits_for

BUCKETS = ("outside", "compute", "stall_slot", "stall_queue", "stall_link", "stall_grant", "stall_bank")
"""Counters of which exactly one goes up in every cycle."""


class StallMonitor(wiring.Component):
    """Puts each cycle into one bucket.

    `outside` while no event is open. Else, if a PE is idle (`grant_ready`) and an expert of the event not yet
    granted, the state of the next one to be granted names the stall: ready or still being classified
    `stall_grant`, held by the expert mapping unit until its bank is free (`bank_awaited`, with such a unit only)
    `stall_bank`, being fetched `stall_link`, without a slot `stall_slot`, waiting for the DMA's demand request
    `stall_queue`. Else, if a PE lost its bank, `stall_bank`; else `compute`.

    Latency: combinational; the count of grants follows by one cycle. Throughput: a bucket every cycle.
    """

    def __init__(self, *, config: UnitConfig):
        count = bits_for(config.max_experts + 1)
        self._count = count
        self._maps = config.mapping_window > 0
        super().__init__(
            {
                "event_open": In(1),
                "n_members": In(count),
                "grant_valid": In(1),
                "grant_ready": In(1),
                "classifying": In(1),
                "demand_busy": In(1),
                "blocked": In(1),
                "misses_queued": In(1),
                "bank_lost": In(1),
                **({"bank_awaited": In(1)} if config.mapping_window else {}),
                "bucket": Out(data.StructLayout({name: 1 for name in BUCKETS})),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        granted = Signal(self._count)
        with m.If(~self.event_open):
            m.d.sync += granted.eq(0)
        with m.Elif(self.grant_valid & self.grant_ready):
            m.d.sync += granted.eq(granted + 1)
        waits = self.grant_ready & (granted != self.n_members)
        bucket = self.bucket
        with m.If(~self.event_open):
            m.d.comb += bucket.outside.eq(1)
        with m.Elif(waits & (self.grant_valid | self.classifying)):
            m.d.comb += bucket.stall_grant.eq(1)
        if self._maps:
            with m.Elif(waits & self.bank_awaited):
                m.d.comb += bucket.stall_bank.eq(1)
        with m.Elif(waits & self.demand_busy):
            m.d.comb += bucket.stall_link.eq(1)
        with m.Elif(waits & self.misses_queued & self.blocked):
            m.d.comb += bucket.stall_slot.eq(1)
        with m.Elif(waits & self.misses_queued):
            m.d.comb += bucket.stall_queue.eq(1)
        with m.Elif(waits):
            m.d.comb += bucket.stall_grant.eq(1)
        with m.Elif(self.bank_lost):
            m.d.comb += bucket.stall_bank.eq(1)
        with m.Else():
            m.d.comb += bucket.compute.eq(1)
        return m

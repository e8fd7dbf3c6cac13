"""What a commit log record adds to the counters."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import UnitConfig, bits_for
from .interfaces import record_layout
from .records import Class, Expiry, Fill, Filter, Issue, Kind

COUNTED = (
    "events", "demand", "hit", "late", "miss", "hit_prefetch", "hit_reuse", "on_target", "later_use", "generated",
    "resident", "in_flight", "in_queue", "over_budget", "overflow", "no_victim", "expired", "promoted", "issued",
    "useless", "aborted", "failed", "demand_issued", "demand_failed", "error_grants", "evictions",
)  # fmt: skip
"""Counters that follow from records alone."""


class CommitCounts(wiring.Component):
    """Decodes records into counter pulses, and keeps the number of prefetched slots not used yet.

    Latency: pulses are combinational, `open` follows them by one cycle. Throughput: one record a cycle.

    Members
    -------
    record_valid, record, record_unused
        The commit port's log.
    pulse : Out
        One bit for each name in COUNTED.
    flushed : Out
        Entries that a FLUSH record dropped.
    open : Out
        Prefetched slots, complete or in flight, not used yet.
    """

    def __init__(self, *, config: UnitConfig):
        super().__init__(
            {
                "record_valid": In(1),
                "record": In(record_layout()),
                "record_unused": In(1),
                "pulse": Out(data.StructLayout({name: 1 for name in COUNTED})),
                "flushed": Out(bits_for(config.queue_depth + 1)),
                "open": Out(bits_for(config.slots + 1)),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        with m.If(self.record_valid):
            with m.Switch(self.record.kind):
                with m.Case(Kind.CLOSE):
                    self._count(m, "events")
                with m.Case(Kind.CLASSIFY):
                    self._classify(m)
                with m.Case(Kind.CANDIDATE):
                    self._candidate(m)
                with m.Case(Kind.EXPIRE):
                    self._by_outcome(m, {Expiry.EXPIRED: "expired", Expiry.PROMOTED: "promoted"})
                with m.Case(Kind.ISSUE):
                    self._issue(m)
                with m.Case(Kind.FILL):
                    with m.If(self.record.outcome == Fill.FAILED):
                        self._count(m, "failed", when=self.record_unused)
                        self._count(m, "demand_failed", "error_grants", when=~self.record_unused)
                with m.Case(Kind.FREE):
                    self._count(m, "useless", when=self.record_unused)
                with m.Case(Kind.ABORT):
                    self._count(m, "aborted", when=self.record_unused)
                with m.Case(Kind.FLUSH):
                    m.d.comb += self.flushed.eq(self.record.expert)
        pulse = self.pulse
        ended = Signal()
        m.d.comb += ended.eq(pulse.hit_prefetch | pulse.late | pulse.useless | pulse.aborted | pulse.failed)
        with m.If(pulse.issued & ~ended):
            m.d.sync += self.open.eq(self.open + 1)
        with m.Elif(ended & ~pulse.issued):
            m.d.sync += self.open.eq(self.open - 1)
        return m

    def _count(self, m, *names, when=1):
        for name in names:
            m.d.comb += self.pulse[name].eq(when)

    def _by_outcome(self, m, names):
        with m.Switch(self.record.outcome):
            for outcome, counters in names.items():
                with m.Case(outcome):
                    self._count(m, *([counters] if isinstance(counters, str) else counters))

    def _classify(self, m):
        self._count(m, "demand")
        self._by_outcome(
            m,
            {
                Class.MISS: "miss",
                Class.LATE: "late",
                Class.HIT_REUSE: ("hit", "hit_reuse"),
                Class.HIT_ON_TARGET: ("hit", "hit_prefetch", "on_target"),
                Class.HIT_LATER_USE: ("hit", "hit_prefetch", "later_use"),
            },
        )

    def _candidate(self, m):
        self._count(m, "generated")
        self._by_outcome(
            m,
            {
                Filter.EXPIRED: "expired",
                Filter.RESIDENT: "resident",
                Filter.IN_FLIGHT: "in_flight",
                Filter.IN_QUEUE: "in_queue",
                Filter.OVER_BUDGET: "over_budget",
                Filter.OVERFLOW: "overflow",
                Filter.QUEUED_DROPPING: "overflow",
            },
        )

    def _issue(self, m):
        prefetch = self.record.source == 1
        allocated = Signal()
        with m.Switch(self.record.outcome):
            with m.Case(Issue.FREE):
                m.d.comb += allocated.eq(1)
            with m.Case(Issue.EVICT):
                m.d.comb += allocated.eq(1)
                self._count(m, "evictions")
                self._count(m, "useless", when=self.record_unused)
            with m.Case(Issue.OWN_RELEASED):
                m.d.comb += allocated.eq(1)
                self._count(m, "evictions")
            with m.Case(Issue.ABORT):
                self._count(m, "aborted", when=self.record_unused)
            with m.Case(Issue.NO_VICTIM):
                self._count(m, "no_victim")
            with m.Case(Issue.PRESENT):
                self._count(m, "resident")
        self._count(m, "issued", when=allocated & prefetch)
        self._count(m, "demand_issued", when=allocated & ~prefetch)

"""The counters' conservation laws, for every sequence of records and of cycles."""

from amaranth.hdl import Cat, Const, Mux, Signal
from moefetch.hw.commit_counts import COUNTED, CommitCounts
from moefetch.hw.counter_names import COUNTERS, LAWS, Advance
from moefetch.hw.counters import CounterFile
from moefetch.hw.records import Class, Expiry, Filter, Issue, Kind
from moefetch.hw.stall_monitor import BUCKETS, StallMonitor

from ..engine import Proof
from ..harness import Harness, assume, check, implies, small
from ..seeding import Seed

CONFIG = small(slots=4, queue_depth=3)
MODULE_COUNTS, MODULE_FILE, MODULE_STALLS = "hw.commit_counts", "hw.counters", "hw.stall_monitor"
NARROW = 3
"""Width of every counter here: the laws hold modulo any power of two, and narrow adders are solved faster."""
QUEUED_LAW = [name for name in LAWS["generated"] if name != "queued_open"]
OPEN_LAW = ["hit_prefetch" if name == "timely" else name for name in LAWS["issued"] if name != "open"]
ONE_AT_A_TIME = [LAWS["demand"], LAWS["hit"], LAWS["timely"], [n for n in QUEUED_LAW if n != "flushed"], OPEN_LAW]
"""Sums of which at most one part grows in a cycle, since there is at most one record."""


def total(pulses, names):
    """Return how many of the named counters go up."""
    return sum((pulses[name] for name in names), Const(0, NARROW))


class RecordHarness(Harness):
    """Every record counts so that both sides of each law grow alike.

    Assumed: outcomes are those of the record's kind, and a prefetch's search ends as one may. How many prefetches
    are queued is followed from the records; that the queue says the same is claimed of the commit port.
    """

    def __init__(self):
        super().__init__(CommitCounts(config=CONFIG))

    def properties(self, m, probe):
        counts, record = self.dut, self.dut.record
        valid = counts.record_valid

        def is_kind(kind):
            return valid & (record.kind == kind)

        outcomes = {Kind.CLASSIFY: Class, Kind.EXPIRE: Expiry, Kind.CANDIDATE: Filter, Kind.ISSUE: Issue}
        assume(m, *(implies(is_kind(kind), record.outcome < len(values)) for kind, values in outcomes.items()))
        prefetch = is_kind(Kind.ISSUE) & (record.source == 1)
        no_demand = (Issue.OWN_RELEASED, Issue.ABORT, Issue.WAIT)
        only_prefetch = (Issue.NO_VICTIM, Issue.PRESENT)
        assume(
            m,
            record.source < 2,
            *(implies(prefetch, record.outcome != outcome) for outcome in no_demand),
            *(implies(is_kind(Kind.ISSUE) & ~prefetch, record.outcome != outcome) for outcome in only_prefetch),
        )
        queued = Signal(NARROW)
        m.d.comb += queued.eq(
            (is_kind(Kind.CANDIDATE) & (record.outcome == Filter.QUEUED))
            - is_kind(Kind.EXPIRE)
            - prefetch
            - counts.flushed
        )
        pulse = counts.pulse
        for law in ("demand", "hit"):
            check(m, pulse[law] == total(pulse, LAWS[law]))
        check(m, pulse.hit_prefetch == total(pulse, LAWS["timely"]))
        check(m, ((pulse.generated - total(pulse, ONE_AT_A_TIME[3]) - counts.flushed)[:NARROW]) == queued)
        grown = Signal.like(counts.open)
        m.d.sync += grown.eq(counts.open + pulse.issued - total(pulse, OPEN_LAW))
        check(m, counts.open == grown)
        check(m, *(at_most_one(pulse, names) for names in ONE_AT_A_TIME))
        check(m, implies(grows(pulse, ONE_AT_A_TIME[3]), counts.flushed == 0))


def grows(pulses, names):
    """Return whether one of the named counters goes up."""
    return Cat(pulses[name] for name in names).any()


def at_most_one(pulses, names):
    """Return whether no two of the named counters go up."""
    bits = Cat(pulses[name] for name in names)
    return (bits & (bits - 1))[: len(bits)] == 0


class FileHarness(Harness):
    """The registers keep the laws that their pulses keep, through every clear.

    Assumed, and claimed of the parts that give the pulses: in each cycle they keep the laws, one part of a sum grows at
    a time, and a gauge follows the pulses that explain it by one cycle.
    """

    def __init__(self):
        super().__init__(CounterFile(config=CONFIG))

    def properties(self, m, probe):
        counters, pulse, gauges = self.dut, self.dut.pulse, self.dut.gauges
        for name in ("demand", "hit", "hit_prefetch", "cycles"):
            assume(m, pulse[name] == grows(pulse, LAWS["timely" if name == "hit_prefetch" else name]))
        assume(m, *(at_most_one(pulse, names) for names in [*ONE_AT_A_TIME, LAWS["cycles"]]))
        assume(m, implies(grows(pulse, ONE_AT_A_TIME[3]), counters.flushed == 0))
        queued, opened = (Signal(NARROW, name=name) for name in ("queued", "opened"))
        m.d.sync += [
            queued.eq(gauges.queued_open + pulse.generated - grows(pulse, ONE_AT_A_TIME[3]) - counters.flushed),
            opened.eq(gauges.open + pulse.issued - grows(pulse, OPEN_LAW)),
        ]
        assume(m, gauges.queued_open == queued, gauges.open == opened)
        values = {name: probe[name] for name, counter in COUNTERS.items() if counter.advance is not Advance.GAUGE}
        self.values = values | {
            "queued_open": gauges.queued_open,
            "open": gauges.open,
            "timely": values["hit_prefetch"],
        }
        for name, parts in LAWS.items():
            law = Const(0, NARROW)
            for part in parts:
                law = (law + self.values[part])[:NARROW]
            check(m, self.values[name][:NARROW] == law)

    def strengthen(self, m, probe):
        """Follow the sum of each law's first parts by itself, so that no two sums of many terms are compared."""
        counters, pulse, gauges = self.dut, self.dut.pulse, self.dut.gauges
        late = probe.view("late_pulse", pulse.shape())
        check(m, late.cycles == grows(late, LAWS["cycles"]), at_most_one(late, LAWS["cycles"]))
        pulse = {name: pulse[name] if name in COUNTED else late[name] for name in pulse.shape().members}
        steps = {name: pulse[name] for name, counter in COUNTERS.items() if counter.advance is Advance.PULSE}
        steps |= {
            "flushed": counters.flushed,
            "timely": pulse["hit_prefetch"],
            "queued_open": pulse["generated"] - grows(pulse, ONE_AT_A_TIME[3]) - counters.flushed,
            "open": pulse["issued"] - grows(pulse, OPEN_LAW),
        }
        starts = {"queued_open": gauges.queued_open, "open": gauges.open, "issued": gauges.open}
        for name, parts in LAWS.items():
            before, step, start = Const(0, NARROW), Const(0, NARROW), Const(0, NARROW)
            for part in parts:
                prefix = Signal(NARROW, name=f"{name}_to_{part}")
                step = (step + steps[part])[:NARROW]
                start = (start + starts.get(part, 0))[:NARROW]
                clear = probe["late_clear" if name == "cycles" else "clear"]
                m.d.sync += prefix.eq(Mux(clear, start, prefix) + step)
                check(m, prefix == (before + self.values[part])[:NARROW])
                before = prefix
            check(m, self.values[name][:NARROW] == before)

    def elaborate(self, platform):
        """Build it with narrow counters."""
        wide = dict(COUNTERS)
        COUNTERS.update({name: counter._replace(width=NARROW) for name, counter in wide.items()})
        try:
            return super().elaborate(platform)
        finally:
            COUNTERS.update(wide)


class CycleHarness(Harness):
    """Each cycle falls into exactly one bucket."""

    def __init__(self):
        super().__init__(StallMonitor(config=CONFIG))

    def properties(self, m, probe):
        check(m, total(self.dut.bucket, BUCKETS) == 1)


PROOFS = [
    Proof(
        name="counters-records",
        claim="each commit record adds alike to both sides of every law; `open` follows",
        harness=RecordHarness,
        depth=2,
        seeds=(
            Seed("useless-stays-open", MODULE_COUNTS, "pulse.late | pulse.useless |", "pulse.late |"),
            Seed("later-use-is-no-hit", MODULE_COUNTS, '("hit", "hit_prefetch", "later_use")', '("hit", "later_use")'),
            Seed(
                "dropped-last-not-counted", MODULE_COUNTS, '                Filter.QUEUED_DROPPING: "overflow",\n', ""
            ),
        ),
        quick=True,
    ),
    Proof(
        name="counters-file",
        claim="the counter registers keep section 7's laws, in every cycle and through every clear",
        harness=FileHarness,
        depth=2,
        seeds=(
            Seed("clear-forgets-open", MODULE_FILE, '{"issued": gauges.open, "generated"', '{"issued": 0, "generated"'),
            Seed("clear-loses-pulse", MODULE_FILE, "value.eq(start + inputs.pulse[name])", "value.eq(start)"),
        ),
        quick=True,
    ),
    Proof(
        name="counters-cycles",
        claim="each cycle counts as exactly one of outside, compute and the five stalls",
        harness=CycleHarness,
        depth=1,
        seeds=(
            Seed(
                "link-and-grant",
                MODULE_STALLS,
                "with m.Elif(waits & self.demand_busy):",
                "with m.If(waits & self.demand_busy):",
            ),
        ),
        quick=True,
    ),
]

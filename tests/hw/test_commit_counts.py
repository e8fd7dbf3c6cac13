"""Does every kind of record, with every outcome, move the counters that docs/unit-rules.md names?"""

import random
from itertools import product

from amaranth.sim import Simulator
from moefetch.hw.commit_counts import COUNTED, CommitCounts
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.records import Class, Expiry, Fill, Filter, GrantStatus, Issue, Kind, Sweep

CONFIG = UNIT_PRESETS["tiny"]
DEMAND, PREFETCH = 0, 1
OUTCOMES = {
    Kind.CLOSE: (0, 1), Kind.CLASSIFY: Class, Kind.EXPIRE: Expiry, Kind.CANDIDATE: Filter, Kind.ISSUE: Issue,
    Kind.FILL: Fill, Kind.DRAIN: (0,), Kind.RELEASE: GrantStatus, Kind.END: (0,), Kind.FREE: Sweep, Kind.ABORT: Sweep,
    Kind.FLUSH: (0,), Kind.PIN: Sweep,
}  # fmt: skip
CLASSIFIED = {
    Class.MISS: {"miss"},
    Class.LATE: {"late"},
    Class.HIT_REUSE: {"hit", "hit_reuse"},
    Class.HIT_ON_TARGET: {"hit", "hit_prefetch", "on_target"},
    Class.HIT_LATER_USE: {"hit", "hit_prefetch", "later_use"},
}
ENDS = {"hit_prefetch", "late", "useless", "aborted", "failed"}


def counters_of(kind, outcome, source, unused):
    """Return the names of the counters that a record moves."""
    by_prefetch = {"useless" if kind in (Kind.FREE, Kind.ISSUE) else "aborted"} if unused else set()
    match kind:
        case Kind.CLOSE:
            return {"events"}
        case Kind.CLASSIFY:
            return {"demand"} | CLASSIFIED[outcome]
        case Kind.EXPIRE:
            return {outcome.name.lower()}
        case Kind.CANDIDATE:
            dropped = {Filter.QUEUED: set(), Filter.QUEUED_DROPPING: {"overflow"}}
            return {"generated"} | dropped.get(outcome, {outcome.name.lower()})
        case Kind.ISSUE if outcome in (Issue.FREE, Issue.EVICT, Issue.OWN_RELEASED):
            taken = {"evictions"} if outcome != Issue.FREE else set()
            lost = by_prefetch if outcome == Issue.EVICT else set()
            return {"issued" if source == PREFETCH else "demand_issued"} | taken | lost
        case Kind.ISSUE if outcome == Issue.ABORT:
            return {"aborted"} if unused else set()
        case Kind.ISSUE:
            return {Issue.NO_VICTIM: {"no_victim"}, Issue.PRESENT: {"resident"}}.get(outcome, set())
        case Kind.FILL if outcome == Fill.FAILED:
            return {"failed"} if unused else {"demand_failed", "error_grants"}
        case Kind.FREE | Kind.ABORT:
            return by_prefetch
    return set()


def simulate(bench):
    dut = CommitCounts(config=CONFIG)

    async def run(ctx):
        await bench(ctx, dut)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(run)
    simulator.run()


def offer(ctx, dut, kind, outcome, source, unused, expert=0):
    ctx.set(dut.record_valid, 1)
    ctx.set(dut.record, {"kind": int(kind), "outcome": int(outcome), "source": source, "expert": expert})
    ctx.set(dut.record_unused, unused)


def high(ctx, dut):
    return {name for name in COUNTED if ctx.get(dut.pulse[name])}


def test_every_kind_and_outcome():
    async def bench(ctx, dut):
        for kind, source, unused in product(Kind, (DEMAND, PREFETCH), (0, 1)):
            for outcome in OUTCOMES[kind]:
                offer(ctx, dut, kind, outcome, source, unused, expert=3)
                assert high(ctx, dut) == counters_of(kind, outcome, source, unused), (kind, outcome, source, unused)
                assert ctx.get(dut.flushed) == (3 if kind == Kind.FLUSH else 0)
                ctx.set(dut.record_valid, 0)
                assert not high(ctx, dut) and not ctx.get(dut.flushed)

    simulate(bench)


def test_open_follows_one_cycle_later():
    """Prefetches that are issued and not ended yet, over legal random records."""
    print("seed 1")
    rng = random.Random(1)

    async def bench(ctx, dut):
        opened = 0
        for _ in range(2000):
            kind = rng.choice((Kind.ISSUE, Kind.CLASSIFY, Kind.FREE, Kind.ABORT, Kind.FILL, Kind.CANDIDATE))
            outcome, source = rng.choice(list(OUTCOMES[kind])), rng.randrange(2)
            unused = rng.random() < 0.5
            names = counters_of(kind, outcome, source, unused)
            change = ("issued" in names) - bool(names & ENDS)
            if not 0 <= opened + change <= CONFIG.slots:
                continue
            offer(ctx, dut, kind, outcome, source, unused)
            assert ctx.get(dut.open) == opened, "n - 1"
            await ctx.tick()
            opened += change
            assert ctx.get(dut.open) == opened, "n"

    simulate(bench)

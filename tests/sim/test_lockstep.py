"""Does the comparison with a running RTL count what only the log shows, and name what is wrong?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.counter_names import COUNTERS
from moefetch.hw.records import RECORD_FIELDS, Class, Fill, Filter, GrantStatus, Issue, Kind, Record
from moefetch.sim.golden.laws import LawBroken
from moefetch.sim.golden.mismatch import Mismatch
from moefetch.sim.lockstep import Lockstep
from moefetch.sim.model_spec import load_model
from moefetch.sim.platform_spec import load_platform
from moefetch.sim.replay_events import Hint, ReplayEvent, RouterBeat
from moefetch.sim.replay_result import ReplayJob
from moefetch.sim.workload import derive

from .replay_fixtures import write_specs

UNIT = UNIT_PRESETS["tiny"]
BEATS = 8
EXPERTS = ([0], [1, 2], [3, 4])
"""Members of three events, of layers 0 and 1 and, in the second step, 0; expert 1 is hinted."""


@pytest.fixture
def job(tmp_path):
    model, platform = write_specs(tmp_path)
    events = [
        ReplayEvent(
            number % 2, number != 1, number == 0,
            tuple(RouterBeat(expert, 9, expert == experts[-1]) for expert in experts),
            (Hint(1, 1, 7),) if number == 0 else (),
        )
        for number, experts in enumerate(EXPERTS)
    ]  # fmt: skip
    settings = {"n_layers": 2, "n_experts": 8, "n_slots": 2, "budget": 4, "hints": 1, "expert_beats": BEATS}
    workload = derive(load_model(str(model)), load_platform(str(platform)), 1)
    return ReplayJob("toy", "hints", events, workload, UNIT, None, settings, (2, 2), None)


class Log:
    """Writes the bench's lines: records every 10 cycles, and each grant after its record."""

    def __init__(self):
        self.lines, self.records = [], []

    def record(self, kind, outcome=0, **fields):
        record = Record(kind, outcome, **fields)
        self.records.append(record)
        self.lines.append(f"C {10 * len(self.records)} {pack(record, RECORD_FIELDS.values()):X}")

    def grant(self, *grant):
        widths = (UNIT.layer_bits, UNIT.expert_bits, UNIT.slot_bits, 2)
        self.lines.append(f"G {10 * len(self.records) + 1} {pack(grant, widths):X}")

    def miss(self, issue, layer, expert, slot, deadline, fill=Fill.DONE):
        self.record(Kind.ISSUE, issue, layer=layer, expert=expert, slot=slot, deadline=deadline)
        status = GrantStatus.ERROR if fill else GrantStatus.MISS
        self.record(Kind.FILL, fill, layer=layer, expert=expert, slot=slot)
        self.grant(layer, expert, slot, status)
        self.record(Kind.RELEASE, status, expert=expert, slot=slot)

    @property
    def text(self):
        return "".join(line + "\n" for line in self.lines)


def pack(values, widths):
    """Return fields in one number, the first one lowest."""
    word = shift = 0
    for value, width in zip(values, widths, strict=True):
        word |= int(value) << shift
        shift += width
    return word


def first_event(log):
    """A miss, and while it is open the hint's prefetch."""
    log.record(Kind.CLOSE, 1, expert=1)
    log.record(Kind.CLASSIFY, Class.MISS)
    log.miss(Issue.FREE, 0, 0, 0, 0)
    log.record(Kind.END)
    log.record(Kind.CANDIDATE, Filter.QUEUED, layer=1, expert=1, score=7, source=1, deadline=1)
    log.record(Kind.ISSUE, Issue.FREE, layer=1, expert=1, slot=1, source=1, deadline=1)
    log.record(Kind.FILL, layer=1, expert=1, slot=1)


def log_of(fill=Fill.DONE):
    """Return a log of the job in which the third event's last fill ends so."""
    log = Log()
    first_event(log)
    log.record(Kind.CLOSE, layer=1, expert=2, deadline=1)
    log.record(Kind.CLASSIFY, Class.HIT_ON_TARGET, layer=1, expert=1, slot=1)
    log.grant(1, 1, 1, GrantStatus.HIT)
    log.record(Kind.CLASSIFY, Class.MISS, layer=1, expert=2)
    log.miss(Issue.EVICT, 1, 2, 0, 1)
    log.record(Kind.RELEASE, GrantStatus.HIT, expert=1, slot=1)
    log.record(Kind.END, deadline=1)
    log.record(Kind.CLOSE, expert=2, deadline=2)
    log.record(Kind.CLASSIFY, Class.MISS, expert=3)
    log.record(Kind.CLASSIFY, Class.MISS, expert=4)
    log.miss(Issue.EVICT, 0, 3, 0, 2)
    log.miss(Issue.EVICT, 0, 4, 1, 2, fill)
    log.record(Kind.END, deadline=2)
    return log


def counters_of(**changes):
    """Return the counters of that log where nothing fails."""
    counted = {
        "events": 3, "demand": 5, "hit": 1, "hit_prefetch": 1, "on_target": 1, "miss": 4, "generated": 1, "issued": 1,
        "demand_issued": 4, "evictions": 3, "demand_beats": 4 * BEATS, "prefetch_beats": BEATS,
    }  # fmt: skip
    return dict.fromkeys(COUNTERS, 0) | counted | changes


FAILED = {"demand_failed": 1, "error_grants": 1, "demand_beats": 3 * BEATS}


def checked(job, log):
    lockstep = Lockstep(job)
    lockstep.feed(log.text)
    return lockstep


def test_a_log_that_agrees_passes_in_pieces_of_any_size(job):
    log = log_of()
    for size in (1, 7, 1000):
        lockstep = Lockstep(job)
        for at in range(0, len(log.text), size):
            lockstep.feed(log.text[at : at + size])
        lockstep.finish(counters_of())
        assert (lockstep.events, lockstep.records) == (3, len(log.records))
    ends = [10 * (at + 1) for at, record in enumerate(log.records) if record.kind == Kind.END]
    assert lockstep.step_ends == ends[1:], "the first event is not its step's last"


def test_a_failed_demand_is_counted_from_the_log(job):
    checked(job, log_of(Fill.FAILED)).finish(counters_of(**FAILED))


@pytest.mark.parametrize("name", ["events", "demand_issued", "demand_failed", "error_grants", "evictions"])
@pytest.mark.parametrize("step", [-1, 1])
def test_a_counter_that_the_log_contradicts_is_named(job, name, step):
    right = counters_of(**FAILED)
    with pytest.raises(Mismatch) as caught:
        checked(job, log_of(Fill.FAILED)).finish(right | {name: right[name] + step})
    found = caught.value
    assert (found.field, found.expected, found.found) == (f"counter {name}", str(right[name]), str(right[name] + step))
    assert found.event == 2
    assert found.history[-1].kind == Kind.END


@pytest.mark.parametrize("name", ["demand_beats", "prefetch_beats", "discarded_beats"])
def test_a_beat_too_many_is_found(job, name):
    right = counters_of()
    with pytest.raises(Mismatch) as caught:
        checked(job, log_of()).finish(right | {name: right[name] + 1})
    found = caught.value
    assert (found.field, found.expected, found.found) == ("beats", f"{5 * BEATS} = 5 fills", str(5 * BEATS + 1))


def test_beats_are_not_counted_up_where_bursts_came_twice_or_broke_off(job):
    checked(job, log_of()).finish(counters_of(retries=1, discarded_beats=3))
    checked(job, log_of(Fill.FAILED)).finish(counters_of(**FAILED, discarded_beats=5))
    with pytest.raises(Mismatch, match="beats"):
        checked(job, log_of()).finish(counters_of(discarded_beats=3))


def test_the_law_of_cycles_is_asserted_on_the_units_counters(job):
    checked(job, log_of()).finish(counters_of(cycles=9, outside=4, compute=5))
    with pytest.raises(LawBroken, match="cycles = 9"):
        checked(job, log_of()).finish(counters_of(cycles=9, outside=4))


def test_a_unit_that_hangs_gets_a_verdict_with_its_last_records(job):
    log = Log()
    first_event(log)
    lockstep = checked(job, log)
    found = lockstep.hang(200_000)
    assert (found.field, found.expected, found.found) == ("liveness", "a commit", "none for 200000 cycles")
    assert (found.event, found.index, found.cycle) == (0, len(log.records), None)
    assert found.history == tuple(log.records)
    assert str(found).startswith("event 0, record 9: liveness: expected a commit, found none for 200000 cycles")


def test_an_event_that_did_not_end_is_named(job):
    log = Log()
    first_event(log)
    log.record(Kind.CLOSE, layer=1, expert=2, deadline=1)
    with pytest.raises(Mismatch, match="end of log"):
        checked(job, log).finish(counters_of())


def test_a_wrong_grant_is_named(job):
    log = log_of()
    at = next(at for at, line in enumerate(log.lines) if line.startswith("G"))
    log.lines[at] = log.lines[at][:-1] + "F"
    with pytest.raises(Mismatch, match="grant"):
        checked(job, log)

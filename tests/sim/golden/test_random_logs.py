"""Are legal logs accepted with exact grants, counters and laws, and is every tampered record found out?"""

from collections import Counter
from functools import cache
from itertools import pairwise
from random import Random

import pytest
from moefetch.hw.records import (
    RECORD_FIELDS,
    AbortPolicy,
    Class,
    Expiry,
    Filter,
    Issue,
    Kind,
    Source,
    Sweep,
    VictimPolicy,
)
from moefetch.sim.golden.mismatch import Mismatch
from moefetch.sim.golden.settings import UnitSettings
from moefetch.sim.golden.unit_model import UnitModel

from .untimed import CALM, ROUGH, RandomPredictor, UntimedUnit, play

SEEDS = range(50)


def random_settings(seed):
    rng = Random(seed)
    n_layers = rng.choice([1, 2, 3, 4, 7])
    n_experts = rng.choice([4, 8, 13])
    return UnitSettings(
        n_layers=n_layers,
        n_experts=n_experts,
        n_slots=rng.choice([2, 4, 8, 20]),
        top_k=tuple(rng.randint(1, 3) for _ in range(n_layers)),
        queue_depth=rng.choice([2, 4, 8]),
        horizon=rng.choice([1, 2, 4]),
        budget=rng.choice([1, 3, n_experts]),
        hints=rng.random() < 0.6,
        victim_policy=rng.choice(list(VictimPolicy)),
        abort_policy=rng.choice(list(AbortPolicy)),
        evict_at_event_end=rng.random() < 0.3,
    )


@cache
def long_run(seed):
    return UntimedUnit(random_settings(seed), seed, 100, ROUGH if seed % 2 else CALM)


def new_model(settings, seed):
    return UnitModel(settings, RandomPredictor(settings, seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_accepts_legal_logs(seed):
    settings = random_settings(seed)
    print(seed, settings)
    unit = long_run(seed)
    model = play(new_model(settings, seed), unit.script)
    for grant in unit.grants:
        model.check_grant(*grant)
    counters = model.finish()
    assert not model.expected_grants
    records = [payload for what, payload in unit.script if what == "record"]
    kinds = Counter(record.kind for record in records)
    assert counters["demand"] == kinds[Kind.CLASSIFY]
    assert counters["generated"] == kinds[Kind.CANDIDATE]
    outcomes = Counter((record.kind, record.outcome) for record in records)
    assert counters["miss"] == outcomes[Kind.CLASSIFY, Class.MISS]
    assert counters["promoted"] == outcomes[Kind.EXPIRE, Expiry.PROMOTED]
    assert counters["no_victim"] == outcomes[Kind.ISSUE, Issue.NO_VICTIM]
    unused = sum(slot["unused"] for slot in unit.slots)
    assert (counters["open"], counters["queued_open"]) == (unused, len(unit.queue))


def test_random_logs_reach_every_outcome():
    seen = set()
    for seed in SEEDS:
        seen |= {(r.kind, r.outcome) for what, r in long_run(seed).script if what == "record"}
    for kind, outcomes in ((Kind.CLASSIFY, Class), (Kind.EXPIRE, Expiry), (Kind.CANDIDATE, Filter)):
        assert {(kind, outcome) for outcome in outcomes} <= seen
    assert {(Kind.ISSUE, outcome) for outcome in Issue} <= seen
    assert {(Kind.ABORT, reason) for reason in (Sweep.EVENT_END, Sweep.INVALIDATE, Sweep.WRONG)} <= seen
    assert {(Kind.FREE, reason) for reason in (Sweep.EVENT_END, Sweep.INVALIDATE)} <= seen


def is_found_out(settings, seed, script):
    try:
        play(new_model(settings, seed), script).finish()
    except Mismatch:
        return True
    return False


def tampered(record, rng, n_layers):
    """Yield the record with each of its fields changed, alone."""
    for field, width in RECORD_FIELDS.items():
        if (record.kind, field) == (Kind.FILL, "outcome"):
            continue  # taken as given
        value = getattr(record, field)
        others = {value ^ 1, value ^ (1 << (width - 1)), rng.randrange(16)}
        for other in others - {value}:
            # when the unit took a hint is given, and with it the round of the ring that it aims at
            same_hint = field == "deadline" and record.source == Source.HINT and (other - value) % n_layers == 0
            if 0 <= other < 1 << width and not (record.kind == Kind.CANDIDATE and same_hint):
                yield record._replace(**{field: other})


@pytest.mark.parametrize("seed", range(8))
def test_finds_any_changed_field(seed):
    settings = random_settings(seed)
    rng = Random(seed)
    print(seed, settings)
    script = UntimedUnit(settings, seed, 8, ROUGH if seed % 2 else CALM).script
    assert not is_found_out(settings, seed, script)
    for index, (what, record) in enumerate(script):
        for changed in tampered(record, rng, settings.n_layers) if what == "record" else ():
            assert is_found_out(settings, seed, [*script[:index], ("record", changed), *script[index + 1 :]]), (
                record,
                changed,
            )


@pytest.mark.parametrize("seed", range(8))
def test_finds_repeated_and_lost_records(seed):
    settings = random_settings(seed)
    script = UntimedUnit(settings, seed, 10, ROUGH if seed % 2 else CALM).script
    must_come = {Kind.CLOSE, Kind.CLASSIFY, Kind.EXPIRE, Kind.RELEASE, Kind.END}
    for index, (what, record) in enumerate(script):
        if what != "record":
            continue
        assert is_found_out(settings, seed, [*script[: index + 1], *script[index:]]), record
        sweep = record.kind in (Kind.FREE, Kind.ABORT) and record.outcome == Sweep.EVENT_END
        if record.kind in must_come or sweep:
            assert is_found_out(settings, seed, [*script[:index], *script[index + 1 :]]), record


@pytest.mark.parametrize("seed", range(8))
def test_finds_records_out_of_order(seed):
    """Records of a fixed sequence must not change places, with one another or with what comes after."""
    settings = random_settings(seed)
    script = UntimedUnit(settings, seed, 10, ROUGH if seed % 2 else CALM).script
    fixed = {Kind.CLOSE, Kind.CLASSIFY, Kind.EXPIRE, Kind.END}
    swapped = 0
    for index, ((what, first), (next_what, second)) in enumerate(pairwise(script)):
        if what == next_what == "record" and second.kind in fixed and first != second:
            changed = [*script[:index], script[index + 1], script[index], *script[index + 2 :]]
            if second.kind == Kind.CLOSE and first.kind not in (Kind.END, Kind.RELEASE):
                continue  # a close may come earlier than what does not hold it up
            assert is_found_out(settings, seed, changed), (first, second)
            swapped += 1
    assert swapped > 10


def test_mismatch_says_where_and_what():
    settings = random_settings(3)
    script = UntimedUnit(settings, 3, 16, CALM).script
    index = max(i for i, (what, r) in enumerate(script) if what == "record" and r.kind == Kind.ISSUE)
    script[index] = ("record", script[index][1]._replace(slot=77))
    with pytest.raises(Mismatch) as caught:
        play(new_model(settings, 3), script, cycles=True)
    mismatch = caught.value
    records = [i for i, (what, _) in enumerate(script) if what == "record"]
    assert (mismatch.field, mismatch.found, mismatch.cycle) == ("slot", "77", index)
    assert mismatch.index == records.index(index)
    assert mismatch.event >= 0
    assert len(mismatch.history) == 20
    assert mismatch.history[-1] == script[index][1]
    assert f"record {mismatch.index}, cycle {index}: slot: expected " in str(mismatch)
    assert "slot=77" in str(mismatch).splitlines()[-1]

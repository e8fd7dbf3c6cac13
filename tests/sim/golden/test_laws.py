"""Does every law stop counters that break it?"""

import pytest
from moefetch.hw.counter_names import ALIASES, LAWS
from moefetch.sim.golden.laws import LawBroken, check_laws

COUNTERS = {
    "demand": 60, "hit": 30, "late": 10, "miss": 20, "hit_prefetch": 18, "hit_reuse": 12, "timely": 18,
    "on_target": 13, "later_use": 5,
    "generated": 101, "resident": 1, "in_flight": 2, "in_queue": 3, "over_budget": 4, "overflow": 5,
    "no_victim": 6, "expired": 7, "promoted": 8, "flushed": 9, "queued_open": 11, "issued": 45,
    "useless": 8, "aborted": 4, "failed": 2, "open": 3,
}  # fmt: skip
CYCLES = {"cycles": 28} | {name: weight for weight, name in enumerate(LAWS["cycles"], start=1)}


def test_accepts_counters_that_add_up():
    check_laws(COUNTERS)
    check_laws(COUNTERS | CYCLES)


@pytest.mark.parametrize("name", COUNTERS)
def test_finds_each_counter_off_by_one(name):
    with pytest.raises(LawBroken):
        check_laws(COUNTERS | {name: COUNTERS[name] + 1})


@pytest.mark.parametrize("name", CYCLES)
def test_finds_each_count_of_cycles_off_by_one(name):
    with pytest.raises(LawBroken, match="outside \\+ compute"):
        check_laws(COUNTERS | CYCLES | {name: CYCLES[name] - 1})


def test_says_the_law_and_both_sides():
    with pytest.raises(LawBroken) as caught:
        check_laws(COUNTERS | {"demand": 61})
    assert str(caught.value) == "demand = 61, but hit + late + miss = 60"


def test_names_a_missing_counter():
    counted = {name for total, parts in LAWS.items() if total != "cycles" for name in (total, *parts)}
    for name in counted - ALIASES.keys():
        with pytest.raises(LawBroken, match=f"no counter {name}"):
            check_laws({key: value for key, value in COUNTERS.items() if key != name})

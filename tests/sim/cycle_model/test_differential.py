"""Is the cycle model the RTL, cycle for cycle, on random configurations and traces?"""

import os
from dataclasses import replace

import pytest
from moefetch.sim.simulator import missing_tools

from .differential import describe, difference, shrink
from .interpreted import interpreted
from .random_jobs import UNITS, random_job

SEEDS = range(30)
MANY_SEEDS = range(1000, 1084)

pytestmark = pytest.mark.skipif(bool(missing_tools("verilator")), reason="needs Verilator")


def require_equal(job, folder, **options):
    print(f"job {job.name}")
    told = difference(job, folder, **options)
    if told:
        smallest, told = shrink(job, lambda smaller: difference(smaller, folder, **options))
        pytest.fail(f"{told}\n{describe(smallest)}")


@pytest.mark.parametrize("unit", ["tiny", "weights"])
def test_model_is_the_rtl_on_a_small_unit(unit, tmp_path):
    compare = interpreted("compare")[0].difference
    for seed in SEEDS:
        require_equal(random_job(seed, unit, most_events=24), tmp_path / str(seed), compare=compare)


@pytest.mark.skipif(not os.environ.get("MOEFETCH_SLOW"), reason="17 builds and 1,428 replays: set MOEFETCH_SLOW=1")
@pytest.mark.parametrize("unit", UNITS)
def test_compiled_model_is_the_rtl(unit, tmp_path):
    for seed in MANY_SEEDS:
        require_equal(random_job(seed, unit), tmp_path / str(seed))


def test_a_difference_shrinks_to_what_causes_it():
    job = random_job(3, "wide")
    assert len(job.events) > 2

    def differs(candidate):
        return "late" if sum(len(event.beats) for event in candidate.events) >= 3 else ""

    smallest, told = shrink(job, differs)
    assert told == "late"
    assert sum(len(event.beats) for event in smallest.events) == 3
    assert smallest.settings["victim_policy"] == 0
    assert not any(event.hints for event in smallest.events)
    assert shrink(replace(job, events=job.events[:1]), lambda _: "always")[1] == "always"

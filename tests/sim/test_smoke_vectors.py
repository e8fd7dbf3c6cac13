"""Do the golden vectors reach what a smoke test must, for every unit, and always the same?

That hardware gives these answers is for tests/cli/test_drop.py to show.
"""

import re

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.sim.smoke_vectors import END, GRANT, READ, RELEASE, ROUTE, smoke_vectors

TINY = UNIT_PRESETS["tiny"]
UNITS = UNIT_PRESETS | {
    "weights": TINY.replace(predictors=("weights",)),
    "no predictor": TINY.replace(predictors=()),
    "segments": TINY.replace(segments=3),
    "smallest": TINY.replace(max_layers=1, slots=2, max_top_k=1, max_experts=2),
}


@pytest.fixture(params=UNITS, scope="module")
def unit(request):
    return UNITS[request.param]


def operation(line):
    return int(line[:2], 16)


def operations(vectors):
    return [operation(line) for line in vectors.lines]


def test_same_program_every_time(unit):
    assert smoke_vectors(unit).text == smoke_vectors(unit).text


def test_every_grant_is_given_back_and_lines_are_well_formed(unit):
    vectors = smoke_vectors(unit)
    found = operations(vectors)
    assert all(re.fullmatch(r"0\d_[0-9a-f]{16}_[0-9a-f]{8}( // .*)?", line) for line in vectors.lines)
    assert found.count(GRANT) == found.count(RELEASE) == found.count(ROUTE) == sum(vectors.grants.values())
    assert found[-1] == END and found.count(READ) > 20


def test_the_error_is_the_only_miss_of_its_event(unit):
    """How long a transfer with errors takes depends on the memory, so nothing else may be fetched meanwhile."""
    lines = smoke_vectors(unit).lines
    error = next(index for index, line in enumerate(lines) if line.endswith("ERROR"))
    first = max(index for index in range(error) if operation(lines[index]) == ROUTE) + 1
    assert all(line.endswith("HIT") for line in lines[first:error]) and operation(lines[error + 1]) != GRANT


def test_hits_misses_an_error_and_used_prefetches_are_in_it(unit):
    vectors = smoke_vectors(unit)
    assert vectors.grants["HIT"] and vectors.grants["MISS"] and vectors.grants["ERROR"] == 1
    predicts = bool(unit.predictors) and unit.max_layers > 1
    assert (vectors.counters["hit_prefetch"] > 0) == predicts
    assert vectors.counters["late"] == 0, "a unit at rest has nothing in flight"

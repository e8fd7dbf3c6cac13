"""Is what a self-test expects what the cycle model and the trace say?"""

import dataclasses

import pytest
from moefetch.sim.replay_image import replay_words
from moefetch.sim.self_test import self_test_data
from moefetch.traces.errors import UserError

from .self_test_fixtures import tiny_test


def test_expectations_are_the_models():
    test, job, result = tiny_test()
    assert dict(test.lines) | {"timely": result.counters["timely"]} == result.counters | {
        "grants": 12, "error_grants_taken": 0, "words_read_back": 12 * 32, "wrong_words": 0, "register_errors": 0,
        "timeouts": 0,
    }  # fmt: skip
    assert result.counters["demand"] == 12 and test.results["replay_cycles"] == result.cycles
    assert test.trace == tuple(replay_words(job.events)) and len(test.trace) == 6 * 3
    assert test.inputs["n_events"] == 6 and test.limit > 2 * result.cycles


def test_the_text_names_the_replay():
    test, job, _ = tiny_test()
    title = f"moefetch self-test: toy, 6 events, st_moe, unit {job.unit.digest}"
    assert test.text.startswith(f"{title}\r\ndemand=12\r\n")
    named = self_test_data(dataclasses.replace(job, name="größe"), tiny_test()[2])
    assert "gr??e" in named.text


def test_a_replay_too_long_is_refused():
    _, job, result = tiny_test()
    with pytest.raises(UserError, match="toy: 3000000000 cycles are too many for a self-test: fewer --tokens"):
        self_test_data(job, dataclasses.replace(result, cycles=3_000_000_000))

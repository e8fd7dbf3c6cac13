"""Is a result made once for what it follows from, and again when that or the tool changes?"""

from dataclasses import dataclass

import pytest
from moefetch.sim import kept_results
from moefetch.sim.kept_results import KeptResults


@dataclass(frozen=True)
class Result:
    name: str
    values: tuple[tuple[int, float | None], ...]


RESULT = Result("a", ((1, 0.5), (2, None)))


def refuse():
    raise AssertionError("made again")


def test_a_result_is_made_once(tmp_path, monkeypatch):
    assert KeptResults(tmp_path).get(Result, {"tokens": 5}, lambda: RESULT) == RESULT
    assert KeptResults(tmp_path).get(Result, {"tokens": 5}, refuse) == RESULT
    with pytest.raises(AssertionError, match="made again"):
        KeptResults(tmp_path).get(Result, {"tokens": 6}, refuse)
    monkeypatch.setattr(kept_results, "tool_version", lambda: "another")
    with pytest.raises(AssertionError, match="made again"):
        KeptResults(tmp_path).get(Result, {"tokens": 5}, refuse)


def test_a_result_that_was_not_made_leaves_nothing(tmp_path):
    with pytest.raises(AssertionError):
        KeptResults(tmp_path).get(Result, {}, refuse)
    assert not list(tmp_path.iterdir())

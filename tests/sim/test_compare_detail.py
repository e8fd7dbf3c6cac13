"""Does the detail cover its window, and is it written beside the comparison that it is of?"""

import json

import numpy as np
import pytest
from moefetch.sim.compare_detail import detail_of, slack_edges, window_events, write_details
from moefetch.sim.compare_report import comparison_document, identity
from moefetch.sim.transfers import Fate, Transfer

from .model_in_python import comparison_of, observed
from .replay_fixtures import toy_trace
from .test_jobs import plan_of

FEW = ("none", "st_moe", "oracle")


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    plan = plan_of(tmp_path_factory.mktemp("detail"), toy_trace(tokens=20, sequences=5))
    return comparison_of(plan, 3, FEW)


@pytest.fixture(scope="module")
def detail(comparison):
    return detail_of(comparison.runs, observed)


def test_the_window_is_the_steps_after_the_warm_up(comparison, detail):
    run = comparison.runs[0]
    assert window_events(run.whole.job, run.measure) == (9, 60)
    assert detail["steps"] == 17
    cycles = run.whole.step_cycles[3:]
    assert cycles[detail["shown_step"]] == sorted(cycles)[8]


def test_slacks_are_those_of_the_windows_used_prefetches(comparison, detail):
    for run in comparison.runs:
        found, counters = detail["policies"][run.whole.job.policy], run.whole.counters
        assert 0 <= sum(found["slack"]) <= counters["timely"] + counters["late"]
        assert (sum(found["slack"]) > 0) == (run.whole.job.policy != "none")
        assert 0 in detail["slack_edges"]
        assert [layer["demand"] for layer in found["layers"]] == [40, 40, 40]
        assert {bar["layer"] for bar in found["timeline"]} == {0, 1, 2}
        assert found["link"]["steps"] == 4
        assert len(found["link"]["cycles"]) == len(found["link"]["background"]) + 1


def test_edges_hold_zero_and_all_but_the_farthest():
    transfers = [Transfer(0, 0, 0, 0, 0, Fate.USED, filled=1000, used=1000 + s) for s in range(-50, 1000)]
    edges = slack_edges(transfers)
    assert 0 in edges
    assert edges[0] <= np.percentile(range(-50, 1000), 1)
    assert len(edges) <= 44
    assert len(slack_edges([])) == 0


def test_details_name_their_comparison(comparison, detail, tmp_path):
    path = write_details([comparison], [detail], tmp_path)
    (found,) = json.loads(path.read_text())["comparisons"]
    assert found["of"] == json.loads(json.dumps(identity(comparison_document(comparison))))
    assert found["policies"].keys() == set(FEW)

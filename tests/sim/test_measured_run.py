"""Are a measured run's parts those of the sequences, and do they add up to the whole without its warm-up?"""

import numpy as np
import pytest
from moefetch.sim.event_columns import EventColumns
from moefetch.sim.jobs import build_jobs
from moefetch.sim.measured_run import Measure, cut_events
from moefetch.sim.model_policies import MODEL_POLICIES
from moefetch.sim.policies import POLICIES, PolicyOptions

from .model_in_python import RUN, measured
from .replay_fixtures import toy_trace
from .test_jobs import plan_of


@pytest.fixture
def plan(tmp_path):
    return plan_of(tmp_path, toy_trace(tokens=16, sequences=4))


def test_parts_are_sequences_after_the_warm_up(plan):
    measure = Measure.of(plan.events, plan.workload, 5)
    assert measure.marks == (15, 24, 36, 48)
    assert measure.steps == measure.tokens == (3, 4, 4)
    assert Measure.of(plan.events, plan.workload, 4).steps == (4, 4, 4)
    assert Measure.of(plan.events, plan.workload, 15).steps == (1,)


def test_a_batch_is_one_part(tmp_path):
    plan = plan_of(tmp_path, toy_trace(tokens=16, sequences=4), batch=2)
    measure = Measure.of(plan.events, plan.workload, 1)
    assert (measure.steps, measure.tokens) == ((3, 4), (6, 8))


@pytest.mark.parametrize("policy", ["none", "st_moe", "belady"])
def test_marks_change_nothing_and_parts_add_up(plan, policy):
    if policy in POLICIES:
        (job,) = build_jobs(plan, [POLICIES[policy]], PolicyOptions())
    else:
        job = MODEL_POLICIES[policy].job(plan)
    expected = RUN(job)
    found = measured(job, Measure.of(plan.events, plan.workload, 0))
    assert found.whole.counters == expected.counters
    assert found.whole.step_cycles == expected.step_cycles == found.result.step_cycles
    # From the start of the replay on, differences are the counters themselves.
    assert found.result.counters == expected.counters
    late = measured(job, Measure.of(plan.events, plan.workload, 5))
    assert late.result.cycles == sum(expected.step_cycles[5:]) == sum(late.part_cycles)
    assert late.result.counters["demand"] == EventColumns.of(list(plan.events)[15:]).members.sum()
    assert late.part_cycles[0] == sum(expected.step_cycles[5:8])
    assert late.parts[-1] == measured(job, Measure.of(plan.events, plan.workload, 12)).result.counters


def test_counters_of_the_warm_up_are_those_of_a_replay_that_ends_there(tmp_path, plan):
    """Up to the last event's end; behind it a replay that ends still issues what is queued."""
    (job,) = build_jobs(plan, [POLICIES["st_moe"]], PolicyOptions())
    found = measured(job, Measure.of(plan.events, plan.workload, 5))
    (short,) = build_jobs(plan_of(tmp_path, plan.trace, tokens=5), [POLICIES["st_moe"]], PolicyOptions())
    before = RUN(short).counters
    moved = {name: found.result.counters[name] - found.whole.counters[name] + before[name] for name in before}
    exact = ("demand", "hit", "late", "miss", "timely", "stall_link", "stall_queue", "stall_grant", "stall_slot")
    assert {name: moved[name] for name in exact} == dict.fromkeys(exact, 0)
    assert moved["compute"] == 3
    assert moved["compute"] + moved["outside"] == moved["cycles"]


def test_resamples_weigh_parts(plan):
    (job,) = build_jobs(plan, [POLICIES["none"]], PolicyOptions())
    found = measured(job, Measure.of(plan.events, plan.workload, 0))
    twice = found.with_counts(np.array([2, 0, 1, 0]), []).counters
    assert twice["miss"] == 2 * found.parts[0]["miss"] + found.parts[2]["miss"]


def test_cut_columns_are_the_same_events(plan):
    events = plan.hinted_events
    assert list(cut_events(events, 7, 20)) == list(events)[7:20]

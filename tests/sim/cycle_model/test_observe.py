"""Does an observed replay do what an unobserved one does, and is every burst kept once?"""

from dataclasses import replace

import pytest
from moefetch.hw.records import Kind
from moefetch.sim.cycle_model import fields as f
from moefetch.sim.policies import POLICIES, PolicyOptions

from ..model_in_python import RUN, observed
from ..replay_fixtures import toy_trace
from ..test_jobs import plan_of


@pytest.mark.parametrize("policy", ["none", "st_moe", "st_moe_paper"])
def test_all_beats_of_a_whole_replay_are_kept_once(tmp_path, policy):
    plan = plan_of(tmp_path, toy_trace(tokens=12, sequences=3))
    job = plan.job(POLICIES[policy], PolicyOptions())
    result = RUN(job)
    found = observed(job, len(job.events))
    counters = result.counters
    assert found.trains[:, f.T_BEATS].sum() == counters["demand_beats"] + counters["prefetch_beats"]
    assert found.trains[:, f.T_COUNT].sum() == counters["bursts"]
    ends = found.trains[:, f.T_INDEX] + found.trains[:, f.T_COUNT]
    assert found.trains[1:, f.T_INDEX].tolist() == ends[:-1].tolist()
    kinds = found.log[:, f.O_KIND].tolist()
    assert kinds.count(Kind.END) == found.events == len(job.events)
    assert kinds.count(Kind.CLASSIFY) == counters["demand"]


def test_a_part_is_the_beginning_of_the_whole(tmp_path):
    job = plan_of(tmp_path, toy_trace(tokens=12, sequences=3)).job(POLICIES["st_moe"], PolicyOptions())
    whole, part = observed(job, len(job.events)), observed(job, 9)
    assert part.events == 9
    assert (whole.log[: len(part.log)] == part.log).all()
    assert len(part.log) < len(whole.log)
    shared = [f.T_INDEX, f.T_COUNT, f.T_BEATS, f.T_START]
    assert (whole.trains[: len(part.trains), shared] == part.trains[:, shared]).all()


def test_a_log_with_many_more_candidates_than_beats_has_room(tmp_path):
    job = plan_of(tmp_path, toy_trace(tokens=12, sequences=3)).job(POLICIES["st_moe"], PolicyOptions())
    many = replace(job, settings=job.settings | {"min_score": 0, "budget": 0})
    found = observed(many, len(job.events))
    assert found.log[:, f.O_KIND].tolist().count(Kind.CANDIDATE) == RUN(many).counters["generated"]

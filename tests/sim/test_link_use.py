"""Are all beats in the link's use, each in its time and with the fate of its transfer?"""

from dataclasses import replace

import numpy as np
import pytest
from moefetch.sim.cycle_model import fields as f
from moefetch.sim.link_use import completions, cycle_of, first_beats, link_use, service_before
from moefetch.sim.policies import POLICIES, PolicyOptions
from moefetch.sim.transfers import Fate, transfers_of

from .model_in_python import observed
from .replay_fixtures import toy_trace
from .test_jobs import plan_of


def watched(tmp_path, policy, **workload):
    plan = plan_of(tmp_path, toy_trace(tokens=12, sequences=3))
    plan = replace(plan, workload=plan.workload.model_copy(update=workload))
    job = plan.job(POLICIES[policy], PolicyOptions())
    observation = observed(job, len(job.events))
    return observation, transfers_of(observation)


@pytest.mark.parametrize("workload", [{}, {"background_period": 100, "background_length": 30}, {"cycles_per_beat": 3}])
@pytest.mark.parametrize("policy", ["none", "st_moe"])
def test_use_adds_up_to_the_beats_of_each_fate(tmp_path, policy, workload):
    observation, transfers = watched(tmp_path, policy, **workload)
    end = int(observation.log[-1, f.O_CYCLE]) + 1000
    used = link_use(observation, transfers, np.linspace(0, end, 400).astype(np.int64))
    for fate in Fate:
        cycles = float((used.shares[fate] * np.diff(used.edges)).sum())
        count = sum(t.fate is fate and t.filled is not None for t in transfers)
        assert cycles == pytest.approx(count * observation.expert_beats * observation.cycles_per_beat)
    total = sum(used.shares.values()) + used.background
    assert total.max() <= 1 + observation.cycles_per_beat / np.diff(used.edges).min()
    assert min(share.min() for share in used.shares.values()) >= 0


def test_a_transfer_is_complete_soon_after_its_last_beat(tmp_path):
    observation, transfers = watched(tmp_path, "st_moe", background_period=100, background_length=30)
    done = sorted(completions(observation))
    filled = sorted(t.filled for t in transfers if t.filled is not None)
    assert len(done) == len(filled)
    waits = [fill - cycle_of(last - 1, observation) for (last, _), fill in zip(done, filled, strict=True)]
    assert min(waits) > 0
    assert max(waits) < 60
    for place, begin in first_beats(observation, transfers).items():
        assert transfers[place].issued < begin < transfers[place].filled


def test_service_cycles_leave_out_the_background(tmp_path):
    observation, _ = watched(tmp_path, "none", background_period=10, background_length=4)
    cycles = np.arange(100)
    service = service_before(cycles, observation)
    assert service.tolist() == [sum(c % 10 >= 4 for c in range(cycle)) for cycle in cycles]
    serving = [cycle for cycle in cycles.tolist() if cycle % 10 >= 4]
    assert [cycle_of(number, observation) for number in range(len(serving))] == serving

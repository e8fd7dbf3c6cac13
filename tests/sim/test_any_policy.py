"""Are the policies of units and of the cycle model found by name?"""

import pytest
from moefetch.sim.any_policy import known_policies, options_of, policy_job, policy_names, scale_policies, unit_policies
from moefetch.sim.model_policies import MODEL_POLICIES
from moefetch.sim.policies import KNOWN_POLICIES, POLICIES, PolicyOptions
from moefetch.traces.errors import UserError

from .test_jobs import plan_of


def test_names():
    assert known_policies() == [*KNOWN_POLICIES, *MODEL_POLICIES]
    assert policy_names("all") == list(POLICIES)
    assert policy_names("none, oracle,none") == policy_names(["none", "oracle"]) == ["none", "oracle"]
    assert [policy.name for policy in unit_policies(["oracle", "weights"])] == ["weights"]
    with pytest.raises(UserError, match="policy 'luck': unknown: must be one of none, st_moe_paper"):
        policy_names("none,luck")


def test_a_scale_serves_the_policies_of_every_unit():
    assert [policy.name for policy in scale_policies("oracle")] == list(POLICIES)
    assert [policy.name for policy in scale_policies("weights")] == [*POLICIES, "weights"]


def test_options_are_those_that_a_policy_takes():
    given = PolicyOptions(budget=3, victim="lru")
    assert options_of("st_moe", given) == given
    assert options_of("none", given) == PolicyOptions(victim="lru")
    assert options_of("oracle", given) == PolicyOptions()


@pytest.mark.parametrize("name", ["none", "st_moe", "hints", "oracle", "belady"])
def test_jobs_are_those_of_their_registry(tmp_path, name):
    plan, options = plan_of(tmp_path), PolicyOptions()
    job = policy_job(plan, name, options)
    own = plan.job(POLICIES[name], options) if name in POLICIES else MODEL_POLICIES[name].job(plan)
    assert (job.policy, job.settings, job.events) == (name, own.settings, own.events)

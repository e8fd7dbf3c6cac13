"""Does every policy set the unit as it says, and refuse what it has no use for?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.register_access import default_settings
from moefetch.hw.weight_rules import WeightRules
from moefetch.sim.policies import KNOWN_POLICIES, POLICIES, PolicyOptions, parse_policies, policy_settings
from moefetch.sim.predictors.interface import PredictorEvent
from moefetch.sim.predictors.weights import Weights
from moefetch.traces.errors import UserError


def settings(name, *, tight=False, **options):
    return policy_settings(KNOWN_POLICIES[name], PolicyOptions(**options), n_experts=32, top_k=4, tight=tight)


def test_settings_are_registers_of_the_unit():
    known = default_settings(UNIT_PRESETS["default"])
    for name in POLICIES:
        assert settings(name).keys() <= known.keys()


def test_each_policy_is_what_its_name_says():
    assert {name: settings(name)["budget"] for name in POLICIES} == {
        "none": 0, "st_moe_paper": 32, "st_moe": 4, "hints": 4,
    }  # fmt: skip
    assert [name for name in POLICIES if settings(name)["evict_at_event_end"]] == ["st_moe_paper"]
    assert [name for name in POLICIES if settings(name)["hints"]] == ["hints"]
    assert {name: policy.predictor for name, policy in POLICIES.items() if policy.predictor} == {
        "st_moe_paper": "st_moe_paper", "st_moe": "st_moe",
    }  # fmt: skip


def test_options_reach_the_policies_that_take_them_alone():
    assert settings("st_moe", budget=7, min_score=5, victim="least_stale", abort="half") | {
        "budget": 7, "min_score": 5, "victim_policy": 1, "abort_policy": 1,
    } == settings("st_moe", budget=7, min_score=5, victim="least_stale", abort="half")  # fmt: skip
    assert settings("st_moe_paper", budget=7)["budget"] == 32
    assert settings("st_moe_paper", hold_cycles=9)["hold_cycles"] == 9
    assert settings("st_moe", hold_cycles=9)["hold_cycles"] == 0


def test_useless_options_and_unknown_policies_are_named():
    with pytest.raises(UserError, match=r"--hold-cycles 9: is of no use here: only st_moe_paper"):
        PolicyOptions(hold_cycles=9).require_users([POLICIES["st_moe"]])
    PolicyOptions(hold_cycles=0).require_users(POLICIES.values())
    with pytest.raises(UserError, match=r"--policy st_mo: unknown: must be all, or some of none, "):
        parse_policies("none,st_mo")
    with pytest.raises(UserError, match="--budget 33: must not exceed the layer's 32 experts"):
        settings("hints", budget=33)


def test_lists_keep_their_order_and_drop_repetitions():
    assert [policy.name for policy in parse_policies("st_moe, none,st_moe")] == ["st_moe", "none"]
    assert [policy.name for policy in parse_policies("all")] == list(POLICIES)


def test_weights_are_asked_for_by_name_and_start_from_nothing_with_any_expert():
    assert "weights" not in POLICIES
    assert [policy.name for policy in parse_policies("weights,none")] == ["weights", "none"]
    unknown = Weights(2, 4, WeightRules(((1, 0),), 5), min_score=settings("weights")["min_score"])
    assert len(unknown.step(PredictorEvent(0, 0, True, (1,)))) == 4
    assert settings("weights")["budget"] == 4


def test_weights_name_on_a_tight_link_what_they_have_learnt_alone():
    least = settings("weights", tight=True)["min_score"]
    unknown = Weights(2, 4, WeightRules(((1, 0),), 5), min_score=least)
    assert unknown.step(PredictorEvent(0, 0, True, (1,))) == []
    assert least > settings("weights")["min_score"]
    assert settings("weights", tight=True, min_score=7)["min_score"] == 7
    assert settings("st_moe", tight=True) == settings("st_moe")

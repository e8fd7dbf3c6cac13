"""Are the shoot-out's figures those of the golden predictors and of the sets that they name?"""

import numpy as np
import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.sim import named_experts
from moefetch.sim.halves import halves
from moefetch.sim.network_limit import NetworkResults, network_bits, network_forms
from moefetch.sim.predictors.st_moe import StMoe
from moefetch.sim.predictors.weights import Weights
from moefetch.sim.profile import Profile
from moefetch.sim.recall import measure_recall, trace_events
from moefetch.sim.shootout import LIGHT, cross_domain, shoot_out
from moefetch.sim.weight_profile import WeightProfile

from .replay_fixtures import toy_trace

UNIT = UNIT_PRESETS["default"]


@pytest.fixture(scope="module")
def trace():
    """Tokens that repeat themselves a little, so that there is something to learn."""

    def repeat(chosen):
        chosen[::2, 1] = chosen[::2, 0]

    return toy_trace(tokens=120, change=repeat)


@pytest.fixture(scope="module")
def result(trace):
    return shoot_out(trace, "toy", UNIT)


def golden_recall(trace, predictor, set_score):
    _, second = halves(trace)
    events = trace_events(second.experts, second.starts)
    return measure_recall(predictor, events, 3, 8, budgets=(2, 3, 4, 6), set_score=set_score)


def recalls(tally):
    return pytest.approx(tuple(tally.summary()["recall_at"].values()))


def test_st_moe_and_weights_are_the_golden_predictors(trace, result):
    first, _ = halves(trace)
    contenders = {contender.name: contender for contender in result.contenders}
    st_moe = StMoe(3, 8, 2, min_score=0, profile=Profile.count(first.experts, first.starts, 8, 2))
    expected = golden_recall(trace, st_moe, 2)
    assert result.budgets == (2, 3, 4, 6)
    assert contenders["ST-MoE, ranked"].recall == pytest.approx(
        tuple(expected.later_layers.summary()["recall_at"].values())
    )
    assert result.set_recall == pytest.approx(expected.later_layers.summary()["set_recall"])
    assert result.set_size == pytest.approx(expected.later_layers.summary()["mean_set_size"])
    cold = golden_recall(trace, StMoe(3, 8, 2, min_score=0), 2)
    assert contenders["ST-MoE, cold"].recall == recalls(cold.later_layers)
    profile = WeightProfile.train(first.experts, first.starts, 8, UNIT.weight_rules)
    for name, tables in (("weights", profile.tables), ("weights, cold", None)):
        expected = golden_recall(trace, Weights(3, 8, UNIT.weight_rules, tables=tables), 128)
        assert contenders[name].recall == recalls(expected.later_layers)
        assert contenders[name].recall_layer_0 == recalls(expected.layer_0)


def test_costs_and_needs(result):
    contenders = {contender.name: contender for contender in result.contenders}
    assert contenders["ST-MoE, ranked"].table_bits == 3 * (8 * 2 * (3 + 2) + 8)
    assert contenders["weights"].table_bits == 3 * 4 * 64 * 5
    assert contenders[f"weights, {len(LIGHT.sources)} x {LIGHT.bits} bits"].table_bits == 3 * 3 * 64 * 4
    assert contenders["weights"].cycles == 2 * 1 + 13 + 5 + 3
    hints = contenders["hints"]
    assert (
        hints.recall == (1.0,) * 4
        and hints.recall_layer_0 is None
        and hints.needed == pytest.approx(2 * result.set_recall)
    )
    assert contenders["previous token"].needed is None or contenders["previous token"].recall[0] >= result.set_recall


def test_confidence_counts_every_expert_of_every_event_once(trace, result):
    _, second = halves(trace)
    events = second.experts[:, 1:].shape[0] * 2
    assert sum(step.experts for step in result.calibration) <= events * 8
    assert all(0 <= step.probability <= 1 for step in result.calibration)
    needed = sum(step.experts * step.probability for step in result.calibration)
    assert needed <= events * 2 + 1e-6
    assert list(result.by_threshold) == sorted(result.by_threshold)


def test_a_set_is_the_experts_that_score_two(trace):
    """The compiled sizes against the golden predictor's candidates."""
    first, second = halves(trace)
    profile = Profile.count(first.experts, first.starts, 8, 2)
    _, sizes = named_experts.st_moe_sets(second.experts, second.starts, profile, 8)
    golden = StMoe(3, 8, 2, profile=profile)
    expected = [0] + [len(golden.step(event)) for event in trace_events(second.experts, second.starts)]
    assert (sizes.ravel() == np.array(expected[:-1])).all()


def test_profiles_run_on_other_traces(trace):
    other = toy_trace(tokens=80)
    found = cross_domain({"a": trace, "b": other}, UNIT.weight_rules)
    assert list(found) == ["none", "a", "b"] and all(list(row) == ["a", "b"] for row in found.values())
    direct = shoot_out(trace, "a", UNIT)
    assert found["a"]["a"] == pytest.approx(next(c.recall[0] for c in direct.contenders if c.name == "weights"))
    assert found["none"]["a"] == pytest.approx(
        next(c.recall[0] for c in direct.contenders if c.name == "weights, cold")
    )


def test_networks_are_the_last_contenders_where_they_are_asked_for(trace, result, tmp_path):
    found = shoot_out(trace, "toy", UNIT, networks=NetworkResults(tmp_path / "networks.json")).contenders
    assert found[: len(result.contenders)] == result.contenders
    forms = network_forms(UNIT.weight_rules)
    assert {row.name: row.table_bits for row in found[len(result.contenders) :]} == {
        name: network_bits(recipe, 3, 8) for name, recipe in forms.items()
    }

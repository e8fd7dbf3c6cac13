"""Does the unit's time to predict follow its parts' latencies, and is the scale the largest that is valid?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.predictor_rtl.ranking import Ranking
from moefetch.predictor_rtl.selection import Selection
from moefetch.predictor_rtl.st_moe import StMoePredictor
from moefetch.predictor_rtl.weights import WeightsPredictor
from moefetch.sim.model_spec import load_model
from moefetch.sim.platform_spec import load_platform
from moefetch.sim.policies import KNOWN_POLICIES, POLICIES
from moefetch.sim.prediction_time import COMMIT, RANK, largest_valid_scale, prediction_cycles
from moefetch.sim.unit_fit import fit_unit
from moefetch.sim.workload import auto_scale, derive

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")

DEFAULT = UNIT_PRESETS["default"]


@pytest.mark.parametrize("lanes", [1, 2, 8])
@pytest.mark.parametrize("top_k", [1, 4, 8])
def test_prediction_takes_what_the_predictors_parts_state(top_k, lanes):
    unit = DEFAULT.replace(predictor_lanes=lanes)
    begins = StMoePredictor(config=unit).prediction_latency(top_k)
    levels = (1 << (3 * top_k + 2).bit_length()) - 1
    assert Ranking.latency == RANK
    expected = begins + Ranking.latency + levels + COMMIT * top_k
    assert prediction_cycles(unit, POLICIES["st_moe"], top_k) == expected


def test_without_a_predictor_only_hints_take_time():
    assert prediction_cycles(DEFAULT, POLICIES["none"], 4) == 0
    assert prediction_cycles(DEFAULT, POLICIES["hints"], 4) == 13


@pytest.mark.parametrize(("model", "top_k"), [("moefetch-small", 4), ("gpt-oss-20b", 4), ("deepseek-v2-lite", 6)])
def test_the_scale_is_the_largest_that_is_valid_under_every_policy(model, top_k):
    model_spec, platform_spec = load_model(model), load_platform("lpddr5x")
    policies = list(POLICIES.values())
    scale = largest_valid_scale(model_spec, platform_spec, DEFAULT, policies, top_k)

    def is_valid(factor):
        workload = derive(model_spec, platform_spec, factor)
        unit = fit_unit(DEFAULT, workload)
        return all(workload.to_scale(prediction_cycles(unit, policy, top_k))[0] for policy in policies)

    assert is_valid(scale)
    assert scale == auto_scale(model_spec, platform_spec) or not is_valid(scale + 1)
    none = largest_valid_scale(model_spec, platform_spec, DEFAULT, [POLICIES["none"]], top_k)
    assert none == auto_scale(model_spec, platform_spec)


@pytest.mark.parametrize(
    ("experts", "lanes", "top_k", "ways"), [(64, 32, 6, 0), (128, 32, 8, 0), (8, 32, 1, 0), (64, 32, 6, 16)]
)
def test_weights_take_what_the_predictors_parts_state(experts, lanes, top_k, ways):
    unit = UnitConfig(max_layers=4, max_experts=experts, weight_lanes=lanes, predictors=("weights",), weight_ways=ways)
    first = WeightsPredictor(config=unit).prediction_latency(top_k, experts)
    expected = first + Selection.period * (top_k - 1) + COMMIT
    assert prediction_cycles(unit, KNOWN_POLICIES["weights"], top_k) == expected

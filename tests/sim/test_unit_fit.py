"""Does a fitted unit serve its workload, and is a unit that does not serve named with field, value and rule?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.sim.model_spec import load_model
from moefetch.sim.platform_spec import load_platform
from moefetch.sim.policies import KNOWN_POLICIES, parse_policies
from moefetch.sim.preset_files import preset_names
from moefetch.sim.unit_fit import demands, fit_unit, require_fit, with_predictors
from moefetch.sim.workload import auto_scale, derive
from moefetch.traces.errors import UserError

DEFAULT = UNIT_PRESETS["default"]


def workload(model="moefetch-small", platform="lpddr5x", scale=None):
    model_spec, platform_spec = load_model(model), load_platform(platform)
    return derive(model_spec, platform_spec, scale or auto_scale(model_spec, platform_spec))


def test_the_default_unit_serves_the_shipped_traces_as_it_is():
    assert fit_unit(DEFAULT, workload()) is DEFAULT


@pytest.mark.parametrize("platform", preset_names("platforms"))
@pytest.mark.parametrize("model", preset_names("models"))
def test_every_model_and_platform_gets_a_unit_that_serves_it(model, platform):
    wanted = workload(model, platform)
    unit = fit_unit(DEFAULT, wanted)
    assert all(demand.is_met(unit) for demand in demands(wanted))
    assert unit.slots >= wanted.slots
    assert unit.outstanding >= wanted.outstanding
    require_fit(unit, wanted, "fitted")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"bus_bytes": 32}, "unit mine: bus_bytes = 32: must be 64, the bus of moefetch-small on lpddr5x"),
        ({"n_pe": 8}, "unit mine: n_pe = 8: must be 4, the processing elements"),
        ({"max_layers": 4}, "unit mine: max_layers = 4: must be at least 8, the layers"),
        ({"max_experts": 16}, "unit mine: max_experts = 16: must be at least 32, the experts"),
        ({"max_top_k": 2}, "unit mine: max_top_k = 2: must be at least 4, the top-k"),
        ({"slot_bytes": 4096}, "unit mine: slot_bytes = 4096: must be at least 49152, the expert bytes"),
    ],
)
def test_a_unit_that_does_not_serve_is_named(changes, line):
    with pytest.raises(UserError) as caught:
        require_fit(DEFAULT.replace(**changes), workload(), "mine")
    assert line in str(caught.value)
    fitted = fit_unit(DEFAULT.replace(**changes), workload())
    require_fit(fitted, workload(), "fitted")


def test_a_unit_that_pages_its_tables_has_one_predictor():
    unit = DEFAULT.replace(predictors=("st_moe",), table_window=4)
    require_fit(unit, workload(), "mine")
    assert with_predictors(unit, [KNOWN_POLICIES["none"], KNOWN_POLICIES["st_moe"]]) == unit
    with pytest.raises(UserError, match="unit: table_window = 4: has predictor st_moe alone, not weights"):
        with_predictors(unit, [KNOWN_POLICIES["weights"]])


def test_a_unit_with_a_segment_table_is_refused_by_replays():
    with pytest.raises(UserError, match="unit mine: segments = 3: must be 1 for a replay"):
        require_fit(DEFAULT.replace(segments=3), workload(), "mine")


def test_capacities_grow_to_powers_of_two_and_slots_to_what_banks_divide():
    wanted = workload().model_copy(update={"n_layers": 33, "n_experts": 65, "slots": 130})
    unit = fit_unit(DEFAULT, wanted)
    assert (unit.max_layers, unit.max_experts, unit.slots) == (64, 128, 136)


def test_fewer_slots_than_the_platforms_are_no_obstacle():
    require_fit(DEFAULT.replace(slots=8), workload(), "mine")


def test_what_no_unit_can_be_is_one_line():
    with pytest.raises(UserError, match=r"no unit can serve .*max_layers = 512") as caught:
        fit_unit(DEFAULT, workload().model_copy(update={"n_layers": 300}))
    assert "\n" not in str(caught.value)


def test_a_unit_gets_the_predictors_that_policies_need_and_no_others():
    assert with_predictors(DEFAULT, parse_policies("all")) is DEFAULT
    assert with_predictors(DEFAULT, parse_policies("none,st_moe,weights")).predictors == ("st_moe", "weights")

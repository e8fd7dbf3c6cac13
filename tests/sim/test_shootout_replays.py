"""Are the shoot-out's times those of replays, each on a unit of its own, and its shares what they say?"""

from dataclasses import replace

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.sim.model_spec import load_model
from moefetch.sim.platform_spec import load_platform
from moefetch.sim.policies import PolicyOptions
from moefetch.sim.replay_api import replay
from moefetch.sim.shootout_replays import (
    ON_DEMAND,
    ORACLE,
    ST_MOE,
    WEIGHTS,
    PlatformReplays,
    Timed,
    entrants,
    replay_on_platforms,
)
from moefetch.traces.errors import UserError

from .replay_fixtures import toy_trace, write_specs

UNIT = UNIT_PRESETS["default"]


@pytest.fixture(scope="module")
def specs(tmp_path_factory):
    model, platform = write_specs(tmp_path_factory.mktemp("specs"))
    return load_model(str(model)), load_platform(str(platform))


@pytest.fixture(scope="module")
def found(specs, tmp_path_factory):
    model, platform = specs
    path = tmp_path_factory.mktemp("trace") / "toy.parquet"
    (result,) = replay_on_platforms(path, toy_trace(), model, [platform], UNIT, 30)
    return result


def test_figures_are_those_of_a_replay(found, specs):
    model, platform = specs
    timed = {row.name: row for row in found.timed}
    wide = PolicyOptions(budget=4, min_score=120)
    for name, policy, options in (
        (ON_DEMAND, "none", None), ("static hot set", "hot_set", None), ("ST-MoE, its own set", "st_moe_paper", None),
        (ST_MOE, "st_moe", None), (WEIGHTS, "weights", None), ("weights, above 120", "weights", wide),
        ("hints", "hints", None), (ORACLE, "oracle", None),
    ):  # fmt: skip
        row = replay(
            toy_trace(), model=model, platform=platform, policy=policy, tokens=30, scale=found.scale, options=options
        )[policy]
        assert timed[name].tpot_us == pytest.approx(row["tpot_mean_us"]), name
        assert timed[name].link_bytes == pytest.approx(row["link_bytes_per_token"]), name
        assert timed[name].stall == row["exposed_stall"], name
    assert found.steps == 30 and (found.trace, found.platform) == ("toy", "bench")
    assert found.room == pytest.approx(found.all_resident / 90 / 512)


def test_cold_tables_and_another_horizon_are_another_replay(found):
    stalls = found.stalls
    assert list(stalls) == list(entrants(2, 8, hints=True))
    assert stalls["weights, cold"] != stalls[WEIGHTS] and stalls["weights, two ahead"] != stalls[WEIGHTS]
    assert stalls["ST-MoE, cold"] != stalls[ST_MOE]


def test_only_a_trace_with_hints_has_them():
    assert "hints" not in entrants(2, 8, hints=False)
    assert entrants(6, 8, hints=False)["weights, above 120"].options.budget == 8


def made(**stalls):
    rows = tuple(Timed(name.replace("_", " "), 1.0, 1.0, stall, None) for name, stall in stalls.items())
    return PlatformReplays("t", "p", 1, 1, 2.0, all_resident=100, roofline=110, timed=rows)


def test_shares_of_gaps_by_hand():
    replays = made(on_demand=100, st_moe=80, weights=50, oracle=20)
    assert replays.gap_closed("weights") == pytest.approx(50 / 80)
    assert replays.gap_closed("weights", over="st moe") == pytest.approx(30 / 60)
    assert replays.roofline_gap_closed("weights", over="st moe") == pytest.approx(30 / 70)
    assert replays.gap_closed("hints") is None, "was not replayed"
    assert made(on_demand=20, weights=10, oracle=20).gap_closed("weights") is None, "no gap"
    assert replace(replays, roofline=None).roofline_gap_closed("weights") is None


def test_another_models_trace_is_refused(specs, tmp_path):
    model, platform = specs
    with pytest.raises(UserError, match=r"3 layers: must be 4"):
        replay_on_platforms(
            tmp_path / "toy.parquet", toy_trace(), model.model_copy(update={"n_layers": 4}), [platform], UNIT, 5
        )

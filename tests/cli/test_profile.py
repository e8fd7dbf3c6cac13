"""Does `moefetch profile` write tables that `predict` and `replay` start from, and one line for a mistake?"""

import json

import pytest
from moefetch.cli.main import app
from moefetch.cli.replay import make_plan
from moefetch.hw.register_access import register_offsets
from moefetch.sim.jobs import build_jobs
from moefetch.sim.lockstep import golden_predictor
from moefetch.sim.policies import PolicyOptions, parse_policies
from moefetch.sim.predictors.weights import Weights
from moefetch.sim.profile import Profile
from moefetch.sim.replay_program import programming
from moefetch.sim.weight_profile import WeightProfile
from moefetch.traces.errors import UserError
from moefetch.traces.format import Trace
from typer.testing import CliRunner

from ..sim.replay_fixtures import write_specs
from .test_predict import small_trace


def run(*arguments, status=0):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


def recall(*arguments):
    """Return the recall at k of layers 1 and up."""
    report = json.loads(run("predict", *arguments, "--json").stdout)
    return next(iter(report["later_layers"]["recall_at"].values()))


@pytest.mark.parametrize(("name", "kind"), [("weights", WeightProfile), ("st_moe", Profile)])
def test_a_profile_of_a_part_is_what_predict_makes_of_that_part(tmp_path, name, kind):
    trace = small_trace(tmp_path / "t.parquet")
    out = tmp_path / "p.npz"
    text = run("profile", trace, "--predictor", name, "--out", out, "--split", 0.5).stdout
    assert "trained on the first 20 tokens" in text
    kind.load(out)
    assert recall(trace, "--predictor", name, "--profile", out) == recall(trace, "--predictor", name)


def test_mistakes_are_one_line(tmp_path):
    trace = small_trace(tmp_path / "t.parquet")
    out = tmp_path / "p.npz"
    assert "leaves none" in run("profile", trace, "--out", out, "--split", 0.01, status=2).stderr
    assert not out.exists()
    run("profile", trace, "--predictor", "st_moe", "--out", out)
    wrong = run("predict", trace, "--predictor", "weights", "--profile", out, status=2).stderr
    assert "not a profile of predictor weights" in wrong
    useless = run("predict", trace, "--predictor", "previous_token", "--profile", out, status=2).stderr
    assert "of no use here" in useless
    other = small_trace(tmp_path / "u.parquet", change=lambda experts: None)
    unit = tmp_path / "unit.toml"
    unit.write_text("weight_bits = 3\n")
    run("profile", other, "--out", out, "--unit", unit)
    assert "3 bits" in run("predict", other, "--predictor", "weights", "--profile", out, status=2).stderr
    (tmp_path / "junk.npz").write_text("junk")
    assert "not a profile" in run("predict", trace, "--profile", tmp_path / "junk.npz", status=2).stderr


def test_replay_takes_profiles_of_either_kind_or_none(tmp_path):
    trace = small_trace(tmp_path / "t.parquet")
    model, platform = write_specs(tmp_path)
    rows = Trace.read(trace)
    files = {name: tmp_path / f"{name}.npz" for name in ("weights", "st_moe")}
    for name, path in files.items():
        run("profile", trace, "--predictor", name, "--out", path)

    def jobs(*profiles):
        plan = make_plan(
            trace, rows, model=str(model), platform=str(platform), policy="st_moe,weights", profiles=list(profiles)
        )
        return plan.profile_statement(), build_jobs(plan, parse_policies("st_moe,weights"), PolicyOptions())

    text, (st_moe, weights) = jobs()
    assert "counted on the last" in text and st_moe.weight_profile is None and weights.profile is None
    assert weights.unit.predictors == ("st_moe", "weights")
    text, (st_moe, weights) = jobs("none")
    assert "start empty" in text and st_moe.profile is None and weights.weight_profile is None
    text, (st_moe, weights) = jobs(*map(str, files.values()))
    assert "st_moe and weights" in text
    assert (st_moe.profile.rows == Profile.load(files["st_moe"]).rows).all()
    assert (weights.weight_profile.tables == WeightProfile.load(files["weights"]).tables).all()
    programmed = {address for address, _ in programming(weights)}
    assert register_offsets(weights.unit)["WEIGHT_DATA"] in programmed
    assert isinstance(golden_predictor(weights), Weights)
    for profiles, message in (
        (["none", str(files["st_moe"])], "must be the only one"),
        ([str(files["st_moe"])] * 2, "same predictor"),
    ):
        with pytest.raises(UserError, match=message):
            jobs(*profiles)

"""Does `moefetch profile` write tables that `predict` and `replay` start from, and one line for a mistake?"""

import json

import pytest
from moefetch.cli.main import app
from moefetch.sim.profile import Profile
from moefetch.sim.weight_profile import WeightProfile
from typer.testing import CliRunner

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

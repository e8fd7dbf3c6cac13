"""Does `moefetch bench predictors` write its tables and plot, and one line for a mistake?"""

import json

import pytest
from moefetch.cli import bench_predictors
from moefetch.cli.main import app
from moefetch.cli.regress import SHIPPED
from moefetch.sim.preset_files import preset_names
from typer.testing import CliRunner

from .test_predict import small_trace


@pytest.fixture(autouse=True)
def parts(tmp_path, monkeypatch):
    """Keep what is found apart from what commands found before."""
    monkeypatch.setattr(bench_predictors, "PARTS", tmp_path / "parts")
    return tmp_path / "parts"


def run(*arguments, status=0):
    result = CliRunner().invoke(app, ["bench", "predictors", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


def test_two_traces_of_one_model_give_tables_a_plot_and_a_matrix(tmp_path):
    first, second = small_trace(tmp_path / "a.parquet"), small_trace(tmp_path / "b.parquet", hints=True)
    out = tmp_path / "out"
    result = run(first, second, "--out", out)
    assert "weights, cold" in result.stdout and "hints" in result.stdout
    assert "model m is no preset: not replayed" in result.stderr
    document = json.loads((out / "predictors.json").read_text())
    assert [result["trace"] for result in document["traces"]] == ["a", "b"]
    assert [list(matrix) for matrix in document["domains"]] == [["none", "a", "b"]]
    assert "| weights |" in (out / "recall.md").read_text()
    assert (out / "recall.svg").read_text().startswith("<svg")
    assert not (out / "replays.md").exists() and document["replays"] == []


def test_a_presets_trace_is_replayed_on_every_platform(tmp_path):
    out = tmp_path / "out"
    result = run(SHIPPED / "code.parquet", "--tokens", 24, "--replay-tokens", 2, "--out", out)
    document = json.loads((out / "predictors.json").read_text())
    assert sorted(replay["platform"] for replay in document["replays"]) == preset_names("platforms")
    assert all(replay["steps"] == 2 for replay in document["replays"])
    assert "replays.md" in result.stdout and "`lpddr5x`" in (out / "gap-summary.md").read_text()


def test_a_run_that_was_cut_short_goes_on(tmp_path, parts, monkeypatch):
    first, second, out = small_trace(tmp_path / "a.parquet"), small_trace(tmp_path / "b.parquet"), tmp_path / "out"
    run(first, "--out", out)
    (kept,) = parts.iterdir()
    shoot_out, asked = bench_predictors.shoot_out, []

    def watched(trace, name, *more, **options):
        asked.append(name)
        return shoot_out(trace, name, *more, **options)

    monkeypatch.setattr(bench_predictors, "shoot_out", watched)
    run(first, second, "--out", out)
    assert asked == ["b"] and kept.exists() and len(list(parts.iterdir())) == 2


def test_networks_are_trained_on_request_and_kept(tmp_path):
    trace, out = small_trace(tmp_path / "a.parquet"), tmp_path / "out"
    run(trace, "--networks", "--out", out)
    kept = json.loads((out / "networks.json").read_text())
    assert len(kept) == 2 and all(result["trace"] == "a" for result in kept.values())
    assert "| network, wide context |" in (out / "recall.md").read_text()


def test_mistakes_are_one_line(tmp_path):
    path = small_trace(tmp_path / "a.parquet")
    (tmp_path / "more").mkdir()
    twin = small_trace(tmp_path / "more" / "a.parquet")
    assert "could not be told apart" in run(path, twin, "--out", tmp_path / "o", status=2).stderr
    assert "no such file" in run(tmp_path / "none.parquet", status=2).stderr.lower()

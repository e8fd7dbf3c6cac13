"""Do `replay --engine model` and `bench model` report what the cycle model finds, as modelled?"""

import json

import pytest
from moefetch.cli.main import app
from typer.testing import CliRunner

from ..sim.cycle_model.interpreted import interpreted
from ..sim.replay_fixtures import write_specs, write_toy_trace


@pytest.fixture(autouse=True)
def engine(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("moefetch.sim.cycle_model.engine.run_model", interpreted("engine")[0].run_model)


def run(*arguments):
    result = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result


def toy_arguments(folder):
    model, platform = write_specs(folder)
    return (
        write_toy_trace(folder / "toy.parquet"),
        "--model",
        model,
        "--platform",
        platform,
        "--scale",
        1,
        "--tokens",
        6,
    )


def test_a_report_of_the_model_is_labelled_so(tmp_path):
    result = run("replay", *toy_arguments(tmp_path), "--engine", "model", "--out", tmp_path / "out")
    assert "no RTL beside it" in result.stdout and "modelled, by a model" in result.stdout
    for policy in ("none", "st_moe_paper", "st_moe", "hints"):
        document = json.loads((tmp_path / "out" / policy / "report.json").read_text())
        assert document["engine"]["name"] == "model"
        assert document["labelled"]["cycles"] == document["labelled"]["counters"] == "modelled"
        assert document["derived"]["hit_rate"]["label"] == "modelled"
        assert document["golden"]["events"] == document["golden"]["words_checked"] == 0
        assert document["counters"]["demand"] == 36
    assert not (tmp_path / "build" / "simulators").exists()


def test_the_bench_writes_its_runs(tmp_path):
    result = run("bench", "model", *toy_arguments(tmp_path), "--policy", "none", "--runs", 2)
    document = json.loads((tmp_path / "build" / "bench" / "model.json").read_text())
    assert len(document["runs"]) == 2
    assert document["runs"][0]["events"] == 18
    assert document["what"]["policy"] == "none"
    assert document["events_per_cpu_second"] > 0
    assert "events/s of user processor time" in result.stdout

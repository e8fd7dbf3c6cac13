"""Does `moefetch sweep` show the best points, go on where it stopped, and say in one line what is wrong?"""

import json

import pyarrow.parquet as pq
import pytest
from moefetch.cli.main import app
from moefetch.sim.point_columns import METADATA_KEY
from typer.testing import CliRunner

from ..sim.model_in_python import measured
from ..sim.sweep_fixtures import MEASURE, write_sweep


@pytest.fixture(autouse=True)
def engine(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MEASURE, measured)


def run(*arguments, status=0):
    result = CliRunner().invoke(app, ["sweep", *map(str, arguments)], env={"COLUMNS": "100"})
    assert result.exit_code == status, result.output
    return result


def test_the_best_points_are_shown_and_a_rerun_does_nothing(tmp_path):
    spec, out = write_sweep(tmp_path, "[unit]\nqueue_depth = [4, 8]"), tmp_path / "out"
    result = run(spec, "--out", out, "--jobs", 2, "--top", 3)
    rows = pq.read_table(out / "results.parquet").to_pylist()
    assert len(rows) == 8
    text = result.stdout
    assert "the best 3 of 8 points by mean TPOT" in text
    best = min(rows, key=lambda row: row["tpot_mean_us"])
    assert f"{best['tpot_mean_us']:,.1f}" in text
    for part in ("queue_depth", "slots", "speed_up = tpot_mean of none / tpot_mean", "modelled", "8 points, 8 run now"):
        assert part in text
    assert "8 of 8 points" in result.stderr and "next: moefetch" in result.stderr
    before = (out / "results.parquet").stat().st_mtime_ns
    again = run(spec, "--out", out)
    assert "8 points, 0 run now, 8 had their results" in again.stdout
    assert (out / "results.parquet").stat().st_mtime_ns == before
    said = json.loads(pq.read_schema(out / "results.parquet").metadata[METADATA_KEY])
    assert (said["command"], said["points"], said["parameters"]["unit.queue_depth"]) == ("sweep", 8, [4, 8])


def test_an_interrupt_says_that_results_are_kept(tmp_path, monkeypatch):
    def interrupted(job, at):
        raise KeyboardInterrupt

    monkeypatch.setattr(MEASURE, interrupted)
    result = run(write_sweep(tmp_path), "--out", tmp_path / "out", status=130)
    (line,) = [line for line in result.stderr.splitlines() if "interrupted" in line]
    assert line.startswith(f"interrupted: finished points are kept in {tmp_path / 'out'}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scheduler", "tcp://x"], "--scheduler tcp://x: is of no use here: only --backend dask takes it"),
        (["--backend", "dask"], "--backend dask: needs --scheduler ADDRESS"),
        (["--backend", "dask", "--scheduler", "x", "--jobs", "2"], "--jobs 2: is of no use here"),
        (["--out", "spec.toml"], "spec.toml is a file: the output must be a folder"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(tmp_path, arguments, said):
    result = run(write_sweep(tmp_path), *arguments, status=2)
    assert said in result.stderr and result.stderr.count("\n") == 1
    assert not (tmp_path / "build").exists()


def test_a_policy_that_the_trace_has_no_data_for_is_one_line(tmp_path):
    spec = write_sweep(tmp_path, policy='["hints"]')
    spec.write_text(spec.read_text().replace("toy.parquet", "bare.parquet"))
    from ..sim.replay_fixtures import write_toy_trace

    write_toy_trace(tmp_path / "bare.parquet", tokens=12, sequences=3, hints=False)
    assert "has no hints" in run(spec, status=2).stderr

"""Does `moefetch explore` show and write the front, go on where it stopped, and say in one line what is wrong?"""

import json

import pyarrow.parquet as pq
import pytest
from moefetch.cli.main import app
from typer.testing import CliRunner

from ..sim.model_in_python import measured
from ..sim.sweep_fixtures import MEASURE, write_sweep


@pytest.fixture(autouse=True)
def engine(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MEASURE, measured)


def run(*arguments, status=0):
    result = CliRunner().invoke(app, ["explore", *map(str, arguments)], env={"COLUMNS": "100"})
    assert result.exit_code == status, result.output
    return result


def test_the_front_is_shown_and_written_and_a_search_goes_on(tmp_path):
    spec, out = write_sweep(tmp_path), tmp_path / "out"
    run(spec, "--out", out, "--trials", 2, "--jobs", 1)
    result = run(spec, "--out", out, "--trials", 4, "--jobs", 1)
    rows = pq.read_table(out / "results.parquet").to_pylist()
    document = json.loads((out / "front.json").read_text())
    assert (document["command"], document["trials"], document["points"]) == ("explore", 4, len(rows))
    front = {row["point"] for row in rows if row["on_front"]}
    assert {member["point"] for member in document["front"]} == front and front
    assert document["objectives"]["storage_bits"]["label"] == "modelled"
    assert f"the front: {len(front)} of {len(rows)} points" in result.stdout
    assert "4 trials of 4 combinations" in result.stdout
    assert "4 of 4 trials" in result.stderr and "next: moefetch sweep" in result.stderr


def test_a_policy_without_a_unit_is_one_line(tmp_path):
    result = run(write_sweep(tmp_path, policy='["oracle"]'), status=2)
    assert result.stderr.startswith("error: policy oracle: no unit has it") and result.stderr.count("\n") == 1

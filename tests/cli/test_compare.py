"""Does `moefetch compare` compare each trace, and say in one line what is wrong?"""

import json

import pytest
from moefetch.cli.main import app
from moefetch.sim.compare_detail import detail_of
from typer.testing import CliRunner

from ..sim.model_in_python import measured, observed
from ..sim.replay_fixtures import write_specs, write_toy_trace


@pytest.fixture(autouse=True)
def engine(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("moefetch.cli.compare.measure_on_model", measured)
    monkeypatch.setattr("moefetch.cli.compare.detail_of", lambda runs: detail_of(runs, observed))


def run(*arguments, status=0):
    result = CliRunner().invoke(app, ["compare", *map(str, arguments)], env={"COLUMNS": "120"})
    assert result.exit_code == status, result.output
    return result


def toy_arguments(folder, *arguments, traces=1):
    model, platform = write_specs(folder)
    paths = [write_toy_trace(folder / f"toy{number}.parquet", tokens=12, sequences=3) for number in range(traces)]
    return *paths, "--model", model, "--platform", platform, "--out", folder / "out", "--scale", 1, *arguments


def test_each_trace_is_compared(tmp_path):
    result = run(*toy_arguments(tmp_path, traces=2))
    document = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert [comparison["steps"] for comparison in document["comparisons"]] == [11, 11]
    assert (tmp_path / "out" / "compare.csv").exists()
    for text in ("toy0.parquet: toy on bench", "toy1.parquet: toy on bench", "LOSES", "speed-up = ", "seed"):
        assert text in result.stdout
    assert all(len(line) <= 120 for line in result.stdout.splitlines() if not line.startswith("wrote"))
    assert "next: moefetch report" in result.stderr


def test_a_unit_without_a_predictor_leaves_its_policy_out(tmp_path):
    unit = tmp_path / "unit.toml"
    unit.write_text("bus_bytes = 4\nn_pe = 2\n")
    result = run(*toy_arguments(tmp_path, "--unit", unit))
    assert "note: the unit has no predictor weights: policy weights is left out" in result.stderr
    (found,) = json.loads((tmp_path / "out" / "compare.json").read_text())["comparisons"]
    assert "weights" not in found["policies"] and "st_moe" in found["policies"]


def test_a_warm_up_is_taken(tmp_path):
    run(*toy_arguments(tmp_path, "--warm-up", 5, "--tokens", 9))
    (found,) = json.loads((tmp_path / "out" / "compare.json").read_text())["comparisons"]
    assert (found["warm_up_steps"], found["steps"], found["sequences"]) == (5, 4, 2)


def test_a_warm_up_that_leaves_nothing_is_refused_before_anything_runs(tmp_path):
    result = run(*toy_arguments(tmp_path, "--warm-up", 12), status=2)
    assert result.stderr.strip().splitlines() == [
        f"error: warm-up 12: must be below the 12 decode steps replayed of {tmp_path / 'toy0.parquet'}"
    ]
    assert not (tmp_path / "out").exists()


def test_energies_are_those_of_the_users_file(tmp_path):
    own = tmp_path / "own.toml"
    platform = tmp_path / "bench.toml"
    arguments = list(toy_arguments(tmp_path))
    platform.write_text(platform.read_text() + '[energy]\nlink = ["wire"]\nslots = "wire"\ntables = "wire"\n')
    own.write_text('[memory.wire]\npicojoules_per_bit = 2\nbasis = "assumed"\nsource = "none"\n')
    result = run(*arguments, "--energy", own)
    (found,) = json.loads((tmp_path / "out" / "compare.json").read_text())["comparisons"]
    assert (found["energy"]["link"], found["energy"]["entries"]["wire"]["source"]) == (2, "none")
    figures = found["policies"]["none"]["figures"]
    bits = figures["link_bytes_per_token"]["value"] * 8
    assert figures["link_energy_per_token"]["value"] == pytest.approx(bits * 2 / 1e6)
    assert figures["energy_ratio"]["value"] == figures["edp_ratio"]["value"] == 1
    assert "energy of moving experts and tables" in result.stdout
    result = run(*arguments, status=2)
    assert result.stderr.startswith("error: platform bench: energy.link = 'wire': must be a memory of the table")

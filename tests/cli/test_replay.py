"""Does `moefetch replay` report, say in one line what is wrong, and leave nothing half-written?"""

import json
import os
import signal
from pathlib import Path

import pytest
from moefetch.cli.main import app
from moefetch.sim import rtl_replay
from moefetch.sim.rtl_engine import ReplayMismatch
from typer.testing import CliRunner

from ..sim.replay_fixtures import fake_run_rtl, write_specs, write_toy_trace

TRACES = Path(__file__).parents[3] / "shared" / "traces"


def fake_harness(unit):
    path = rtl_replay.make_folder(rtl_replay.BUILD / "harness") / f"{unit.digest}.v"
    path.write_text(unit.digest)
    return path


@pytest.fixture(autouse=True)
def engine(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("moefetch.sim.rtl_engine.run_rtl", fake_run_rtl)
    monkeypatch.setattr(rtl_replay, "emit_harness", fake_harness)
    monkeypatch.setattr(rtl_replay, "missing_tools", lambda _: [])


def run(*arguments, status=0):
    result = CliRunner().invoke(app, ["replay", *map(str, arguments)], env={"COLUMNS": "200"})
    assert result.exit_code == status, result.output
    return result


def toy_arguments(folder, *arguments, **trace):
    model, platform = write_specs(folder)
    path = write_toy_trace(folder / "toy.parquet", **trace)
    return path, "--model", model, "--platform", platform, "--out", folder / "out", *arguments


def one_line(result):
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    return result.stderr


def test_all_policies_give_a_table_reports_and_the_next_command(tmp_path):
    result = run(*toy_arguments(tmp_path, "--tokens", 6, "--scale", 1))
    for policy in ("none", "st_moe_paper", "st_moe", "hints"):
        assert json.loads((tmp_path / "out" / policy / "report.json").read_text())["tokens"] == 6
        assert policy in result.stdout
    assert "scale 1: real size" in result.stdout
    assert result.stderr == "next: moefetch emit --out build/rtl\n"
    assert list((tmp_path / "build").glob("replay-*")) == []


def test_one_policy_gives_one_report_and_names_the_comparison(tmp_path):
    result = run(*toy_arguments(tmp_path, "--policy", "st_moe", "--budget", 1, "--sim", "icarus"))
    document = json.loads((tmp_path / "out" / "report.json").read_text())
    assert document["config"]["settings"]["budget"] == 1
    assert document["engine"]["name"] == "rtl, icarus"
    assert document["tokens"] == 40
    assert "--policy all" in result.stderr


def test_a_batch_shares_steps(tmp_path):
    run(*toy_arguments(tmp_path, "--policy", "none", "--batch", 4, "--tokens", 2))
    document = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (document["tokens"], document["steps"]) == (8, 2)


def test_an_imported_recording_is_replayed(tmp_path):
    path = TRACES / "gpt-oss-20b.decode.npz"
    if not path.exists():
        pytest.skip(f"the trace {path} is not there")
    result = run(path, "--model", "gpt-oss-20b", "--tokens", 2, "--out", tmp_path / "out")
    assert "policy hints is left out" in result.stderr
    scale = json.loads((tmp_path / "out" / "st_moe" / "report.json").read_text())["config"]["scale"]
    assert scale["factor"] > 1
    assert scale["to_scale"] is True


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--model", "gpt-5"), "gpt-5: no such preset in models"),
        (("--platform", "abacus"), "abacus: no such preset in platforms"),
        (("--model", "gpt-oss-20b"), "3 layers: must be 24, as model gpt-oss-20b has"),
        (("--policy", "guess"), "--policy guess: unknown"),
        (("--scale", "0"), "--scale 0: must be auto, or a whole number from 1 on"),
        (("--scale", "big"), "--scale big: must be auto"),
        (("--unit", "default"), "unit default: bus_bytes = 64: must be 4, the bus of toy on bench"),
        (("--unit", "absent.toml"), "absent.toml: cannot be read"),
        (("--policy", "none", "--budget", "1"), "--budget 1: is of no use here"),
        (("--policy", "hints,none", "--budget", "9"), "--budget 9: must not exceed the layer's 8 experts"),
        (("--out", "toy.parquet"), "toy.parquet: toy.parquet is a file: the output must be a folder"),
        (("--batch", "4000"), "--batch 4000: 4095 router beats an event at most"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, arguments, line):
    before = toy_arguments(tmp_path, "--scale", 1) if "--scale" not in arguments else toy_arguments(tmp_path)
    assert line in one_line(run(*before, *arguments, status=2))
    assert not (tmp_path / "out").exists()


def test_bad_traces_are_one_line(tmp_path):
    arguments = toy_arguments(tmp_path, hints=False)
    assert "has no hints" in one_line(run(*arguments, "--policy", "hints", status=2))
    (tmp_path / "toy.parquet").write_bytes((tmp_path / "toy.parquet").read_bytes()[:200])
    assert "toy.parquet" in one_line(run(*arguments, status=2))
    (tmp_path / "toy.parquet").unlink()
    assert "no such file" in one_line(run(*arguments, status=2))


def test_a_missing_simulator_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run(*toy_arguments(tmp_path, "--sim", "icarus"), status=2)
    assert "iverilog was not found, icarus needs it: apt install iverilog" in one_line(result)


def test_a_difference_between_rtl_and_model_is_told_and_leaves_no_report(tmp_path, monkeypatch):
    def differ(job, **_):
        raise ReplayMismatch("toy, none: RTL and golden model differ: event 3\n  expected HIT")

    monkeypatch.setattr("moefetch.sim.rtl_engine.run_rtl", differ)
    result = run(*toy_arguments(tmp_path), status=1)
    assert "failed: toy, none: RTL and golden model differ: event 3" in result.stderr
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "build").glob("replay-*")) == []


def test_an_interrupt_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(job, *, work_dir, **_):
        work_dir.mkdir()
        os.kill(os.getppid(), signal.SIGINT)
        signal.pause()

    monkeypatch.setattr("moefetch.sim.rtl_engine.run_rtl", interrupted)
    result = run(*toy_arguments(tmp_path), status=130)
    assert one_line(result) == "interrupted: nothing was written\n"
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "build").glob("replay-*")) == []

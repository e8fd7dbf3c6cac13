"""Does `moefetch regress` replay every trace under every policy, and fail on any difference?"""

import json

import pytest
from moefetch.cli import regress
from moefetch.cli.main import app
from moefetch.cli.regress import Source
from moefetch.cli.replay import Simulator
from typer.testing import CliRunner

from ..sim.replay_fixtures import fake_result, fake_run_rtl, write_specs, write_toy_trace
from .test_replay import engine  # noqa: F401 - the fixture that replaces the simulator


@pytest.fixture(autouse=True)
def shipped(monkeypatch, tmp_path):
    """Put two toy traces where the shipped ones are, and a third for a full run."""
    model, platform = map(str, write_specs(tmp_path))
    paths = [write_toy_trace(tmp_path / f"{name}.parquet", tokens=120, sequences=12) for name in ("code", "prose")]
    sources = [Source(path, model, platform, None) for path in paths]
    long = Source(write_toy_trace(tmp_path / "long.parquet"), model, platform, 7)
    monkeypatch.setattr(regress, "_sources", lambda full: [*sources, long] if full else sources)


def run(*arguments, status=0):
    result = CliRunner().invoke(app, ["regress", *map(str, arguments)], env={"COLUMNS": "200"})
    assert result.exit_code == status, result.output + result.stderr
    return result


def document_at(tmp_path, simulator, trace, policy):
    path = tmp_path / "build" / "regress" / simulator / trace / policy / "report.json"
    return json.loads(path.read_text())


def test_every_trace_is_replayed_under_every_policy(tmp_path):
    result = run()
    for trace in ("code", "prose"):
        for policy in ("none", "st_moe_paper", "st_moe", "hints"):
            document = document_at(tmp_path, "verilator", trace, policy)
            assert document["tokens"] == 96
            assert document["engine"]["name"] == "rtl, verilator"
        assert f"{trace}.parquet: toy on bench" in result.stdout
    assert "no other simulator's report of the same replay" in result.stdout
    assert "next: moefetch regress --sim icarus" in result.stderr


def test_icarus_takes_fewer_tokens_and_a_full_run_all(tmp_path):
    run("--sim", "icarus")
    assert document_at(tmp_path, "icarus", "code", "none")["tokens"] == 8
    run("--full")
    assert document_at(tmp_path, "verilator", "prose", "hints")["tokens"] == 120
    assert document_at(tmp_path, "verilator", "long", "hints")["tokens"] == 7


def test_two_simulators_are_compared_when_they_replayed_the_same(tmp_path):
    run("--tokens", 8, "--jobs", 1)
    result = run("--sim", "icarus")
    assert result.stdout.count("verilator: the same cycles and counters for 4 of 4 policies") == 2


def test_two_simulators_that_differ_fail(tmp_path, monkeypatch):
    run("--tokens", 8)

    def slower(job, **arguments):
        result = fake_run_rtl(job, **arguments)
        if job.policy == "st_moe" and job.name == "code":
            result.cycles += 1
            result.step_cycles[-1] += 1
            for name in ("cycles", "outside"):
                result.counters[name] += 1
        return result

    monkeypatch.setattr("moefetch.sim.rtl_engine.run_rtl", slower)
    result = run("--sim", "icarus", status=1)
    lines = [line for line in result.stderr.splitlines() if line.startswith("failed: ")]
    total = document_at(tmp_path, "icarus", "code", "st_moe")["cycles"]["total"]
    assert f"failed: code.parquet, st_moe: cycles total is {total} on icarus, {total - 1} on verilator" in lines
    assert all("code.parquet, st_moe" in line for line in lines)


def test_a_broken_law_and_a_changed_demand_fail(tmp_path, monkeypatch):
    def broken(job, **_):
        result = fake_result(job)
        result.counters["hit"] += 1
        return result

    monkeypatch.setattr("moefetch.sim.rtl_engine.run_rtl", broken)
    assert "failed: demand = " in run(status=1).stderr

    def changed(job, **_):
        result = fake_result(job)
        for name in ("demand", "miss") if job.policy == "hints" else ():
            result.counters[name] += 1
        return result

    monkeypatch.setattr("moefetch.sim.rtl_engine.run_rtl", changed)
    assert "policies must not change demand" in run(status=1).stderr
    assert not (tmp_path / "build" / "regress").exists()


def test_missing_traces_are_one_line(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(regress, "SHIPPED", tmp_path / "none")
    monkeypatch.setattr(regress, "require_simulator", lambda _: None)
    result = run(status=2)
    assert "no trace (.parquet): the shipped recordings are missing" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_sources_are_the_shipped_traces_and_the_long_one_if_it_is_there(tmp_path, monkeypatch, capsys):
    monkeypatch.undo()
    monkeypatch.setattr(regress, "SHIPPED", tmp_path)
    monkeypatch.setattr(regress, "LONG_SOURCE", Source(tmp_path / "absent.npz", "gpt-oss-20b", "lpddr5x", 2000))
    found = regress._sources(False)
    assert [(source.path.stem, source.model, source.platform) for source in found] == [
        ("code", "moefetch-small", "lpddr5x"), ("long", "moefetch-small", "lpddr5x"),
        ("prose", "moefetch-small", "lpddr5x"),
    ]  # fmt: skip
    assert regress._sources(True) == found
    assert "2000 tokens of gpt-oss-20b are left out" in capsys.readouterr().err
    monkeypatch.setattr(regress, "LONG_SOURCE", regress.LONG_SOURCE._replace(path=tmp_path / "code.parquet"))
    assert regress._sources(True)[-1].full_tokens == 2000
    assert regress.FIRST_TOKENS == {Simulator.VERILATOR: 96, Simulator.ICARUS: 8, Simulator.NATIVE: 96}

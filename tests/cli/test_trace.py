import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from moefetch.cli.main import app
from moefetch.traces.format import DECODE, Trace, TraceMeta
from moefetch.traces.writer import TraceWriter, write_trace
from typer.testing import CliRunner


def drifting_experts(n_tokens=40, n_layers=3, n_experts=8, top_k=2):
    rng = np.random.default_rng(4)
    score, rows = rng.random((n_layers, n_experts)), []
    for _ in range(n_tokens):
        score = 0.8 * score + 0.2 * rng.random(score.shape)
        rows.append(np.argsort(-score, axis=1)[:, :top_k])
    return np.array(rows)


@pytest.fixture
def source(tmp_path):
    np.savez(tmp_path / "source.npz", experts=drifting_experts())
    return tmp_path / "source.npz"


@pytest.fixture
def trace(tmp_path):
    experts = drifting_experts().astype(np.uint16)
    n = len(experts)
    steps = np.arange(n, dtype=np.int32)
    meta = TraceMeta("m", (0, 1, 2), 8, 2)
    write_trace(tmp_path / "t.parquet", Trace(meta, steps * 0, steps, np.full(n, DECODE, np.uint8), steps, experts))
    return tmp_path / "t.parquet"


def run(*words, status=0):
    result = CliRunner().invoke(app, ["trace", *map(str, words)])
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result


def files(folder):
    return sorted(p.name for p in folder.iterdir())


def test_import_stats_validate_each_names_the_next_command(tmp_path, source):
    out = tmp_path / "out.parquet"
    result = run("import", source, "--out", out, "--experts", 8, "--model", "mine", "--licence", "MIT")
    assert result.stdout.startswith(f"{out}: mine, 40 tokens, 3 layers, 8 experts, top-2, content ")
    assert result.stderr == f"next: moefetch trace stats {out}\n"
    meta = Trace.read(out).meta
    assert (meta.model, meta.licence, meta.provenance["source"]) == ("mine", "MIT", "source.npz")

    result = run("stats", out)
    assert re.search(r"overlap +\d\d\.\d%", result.stdout)
    assert result.stderr == f"next: moefetch trace validate {out}\n"

    result = run("validate", out)
    assert result.stdout == f"{out}: valid, 40 tokens\n"
    assert result.stderr == f"next: moefetch predict {out} --predictor st_moe\n"


def test_the_next_command_quotes_a_path_with_a_space(tmp_path, source):
    out = tmp_path / "my trace.parquet"
    assert f"next: moefetch trace stats '{out}'" in run("import", source, "--out", out, "--experts", 8).stderr


def test_validate_lists_every_place(tmp_path, trace):
    broken = Trace.read(trace)
    broken.experts[7, 1] = 3
    broken.experts[9, 2, 0] = 8
    write_trace(trace, broken)
    result = run("validate", trace, status=2)
    assert result.stdout.splitlines() == [
        "sequence 0, token 9, layer 2: expert id out of range: experts id 8: must be below 8",
        "sequence 0, token 7, layer 1: duplicate expert: expert 3 twice: must be selected once",
    ]
    assert result.stderr.startswith(f"error: {trace}: not a trace: expert id out of range (1), duplicate expert (1)")


@pytest.mark.parametrize("command", ["stats", "validate"])
def test_truncated_files_give_one_line_and_status_2(trace, command):
    whole = trace.read_bytes()
    for size in (0, 4, len(whole) // 2, len(whole) - 1):
        trace.write_bytes(whole[:size])
        result = run(command, trace, status=2)
        assert result.stdout == ""
        assert re.fullmatch(rf"error: {re.escape(str(trace))}: .*\n", result.stderr)


def test_a_refused_import_leaves_no_output_and_an_old_one_untouched(tmp_path, source, trace):
    before = trace.read_bytes()
    whole = source.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 5):
        source.write_bytes(whole[:size])
        for out in (tmp_path / "new.parquet", trace):
            result = run("import", source, "--out", out, "--experts", 8, status=2)
            assert re.fullmatch(r"error: .*source\.npz: .*\n", result.stderr)
    assert trace.read_bytes() == before
    assert files(tmp_path) == ["source.npz", "t.parquet"]


def test_outputs_that_cannot_be_are_named(tmp_path, source):
    for out, message in (
        (tmp_path / "none" / "t", "does not exist: create it first"),
        (tmp_path, "is a folder: the output must be a file"),
        (source, "is the source: the output must be another file"),
    ):
        result = run("import", source, "--out", out, "--experts", 8, status=2)
        assert result.stderr.startswith(f"error: {out}: ")
        assert message in result.stderr
    assert files(tmp_path) == ["source.npz"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path, source):
    (tmp_path / "locked").mkdir(mode=0o500)
    result = run("import", source, "--out", tmp_path / "locked" / "t", "--experts", 8, status=2)
    assert "cannot be written: Permission denied" in result.stderr


def test_an_unknown_format_is_named(tmp_path, source):
    result = run("import", source, "--out", tmp_path / "t", "--format", "foo", status=2)
    assert "error: --format foo: unknown: must be one of vllm, " in result.stderr


def test_an_interrupt_is_one_line_and_leaves_no_output(tmp_path, source, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(TraceWriter, "finish", interrupt)
    result = run("import", source, "--out", tmp_path / "t", "--experts", 8, status=130)
    assert result.stderr == "interrupted: nothing was written\n"
    assert files(tmp_path) == ["source.npz"]


def test_the_installed_command_runs(trace):
    command = shutil.which("moefetch", path=os.path.dirname(sys.executable))
    if command is None:
        pytest.skip("the console script is not installed beside this Python")
    result = subprocess.run([command, "trace", "validate", trace], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, f"{trace}: valid, 40 tokens\n")

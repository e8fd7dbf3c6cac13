"""Does `moefetch trace stats` print, write and refuse what its help says?"""

import json
import re

import numpy as np
import pytest
from moefetch.cli import trace_stats as module
from moefetch.cli.main import app
from moefetch.traces.format import DECODE, Trace, TraceMeta
from moefetch.traces.writer import write_trace
from typer.testing import CliRunner


@pytest.fixture
def trace(tmp_path):
    rng = np.random.default_rng(4)
    score, rows = rng.random((3, 8)), []
    for _ in range(40):
        score = 0.8 * score + 0.2 * rng.random(score.shape)
        rows.append(np.argsort(-score, axis=1)[:, :2])
    steps = np.arange(40, dtype=np.int32)
    meta = TraceMeta("m", (0, 1, 2), 8, 2)
    experts = np.array(rows).astype(np.uint16)
    write_trace(tmp_path / "t.parquet", Trace(meta, steps * 0, steps, np.full(40, DECODE, np.uint8), steps, experts))
    return tmp_path / "t.parquet"


def run(*words, status=0, columns=200):
    result = CliRunner().invoke(app, ["trace", "stats", *map(str, words)], env={"COLUMNS": str(columns)})
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_tables_hold_every_part_and_end_with_the_verdict(trace):
    result = run(trace)
    for text in (
        "of 8 experts, top-2",
        "max / mean",
        "token cycles",
        "share of LRU's misses hidden",
        "what the figures",
    ):
        assert text in result.stdout
    assert re.search(r"overlap +\d\d\.\d%", result.stdout)
    verdict = result.stdout.split("\nverdict\n")[1].splitlines()
    assert verdict[0].startswith("- Of the 2 experts of the next layer, 2 guesses name: previous token ")
    assert any(line.startswith("- A cache of 1 token cycle (6 slots, 25.0% of all experts)") for line in verdict)
    assert result.stderr == f"next: moefetch trace validate {trace}\n"


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_the_terminal(trace, columns):
    lines = run(trace, columns=columns).stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert not any("…" in line for line in lines)


def test_json_goes_to_a_file_or_alone_to_standard_output(tmp_path, trace):
    printed = run(trace, "--json", "-").stdout
    figures = json.loads(printed)
    assert (figures["tokens"], figures["layers"], figures["experts"], figures["top_k"]) == (40, 3, 8, 2)
    assert 0 < figures["overlap"] < 1
    assert figures["hint_recall"] is None
    assert len(figures["load"]) == 3
    out = tmp_path / "figures.json"
    assert "verdict" in run(trace, "--json", out).stdout
    assert out.read_text() == printed
    assert files(tmp_path) == ["figures.json", "t.parquet"]


def test_html_holds_the_verdict(tmp_path, trace):
    out = tmp_path / "page.html"
    figures = json.loads(run(trace, "--html", out, "--json", "-").stdout)
    text = out.read_text(encoding="utf-8").replace("&#39;", "'")
    for line in figures["verdict"]:
        assert f"<p>{line}</p>" in text


def test_outputs_that_cannot_be_are_named_before_the_work(tmp_path, trace, monkeypatch):
    monkeypatch.setattr(module, "_measure", lambda path: pytest.fail("measured first"))
    before = trace.read_bytes()
    for words, message in (
        (("--json", tmp_path / "none" / "x"), "does not exist: create it first"),
        (("--html", tmp_path), "is a folder: the output must be a file"),
        (("--json", trace), "is the trace: the output must be another file"),
        (("--json", tmp_path / "x", "--html", tmp_path / "x"), "is the file of --json too: each needs its own"),
    ):
        result = run(trace, *words, status=2)
        assert re.fullmatch(r"error: .*\n", result.stderr)
        assert message in result.stderr
    assert trace.read_bytes() == before
    assert files(tmp_path) == ["t.parquet"]


def test_a_trace_that_is_none_leaves_an_old_output_untouched(tmp_path, trace):
    out = tmp_path / "figures.json"
    out.write_text("old")
    trace.write_bytes(trace.read_bytes()[:-9])
    result = run(trace, "--json", out, "--html", tmp_path / "x.html", status=2)
    assert result.stderr.startswith(f"error: {trace}: ")
    assert out.read_text() == "old"
    assert files(tmp_path) == ["figures.json", "t.parquet"]


def test_an_interrupt_is_one_line_and_leaves_no_output(tmp_path, trace, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_measure", interrupt)
    result = run(trace, "--json", tmp_path / "x", status=130)
    assert result.stderr == "interrupted: nothing was written\n"
    assert files(tmp_path) == ["t.parquet"]

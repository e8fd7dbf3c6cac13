"""What `trace import` refuses, what `trace validate` names, and what `--force` writes."""

import gzip
import json

import numpy as np
import pytest
from moefetch.cli.main import app
from moefetch.traces.format import DECODE, Trace, TraceMeta
from moefetch.traces.writer import write_trace
from typer.testing import CliRunner

SHAPE = (200, 4, 16)


def recording():
    """Experts [200, 4, 3] of a slowly drifting router."""
    rng = np.random.default_rng(2)
    score, rows = rng.random(SHAPE[1:]), []
    for _ in range(SHAPE[0]):
        score = 0.8 * score + 0.2 * rng.random(score.shape)
        rows.append(np.argsort(-score, axis=1)[:, :3])
    return np.array(rows)


def repeat_layer(experts):
    experts[:, 2] = experts[:, 1, ::-1]


def duplicate(experts):
    experts[151, 3, 1] = experts[151, 3, 0]


def out_of_range(experts):
    experts[77, 1, 2] = 16


def warm_up(experts):
    experts[120:140] = experts[120]


def lose_order(experts):
    experts[:] = experts[np.random.default_rng(1).permutation(len(experts))]


DEFECTS = {
    "repeated layer": (
        repeat_layer,
        "sequence 0, token 0, layer 2: repeated layer: has layer 1's experts in 200 of 200",
    ),
    "duplicate expert": (duplicate, "sequence 1, token 51, layer 3: duplicate expert: expert"),
    "expert id out of range": (
        out_of_range,
        "sequence 0, token 77, layer 1: expert id out of range: experts id 16: must",
    ),
    "identical rows": (warm_up, "sequence 1, token 35, all layers: identical rows: the 16th row in a run"),
    "order lost": (lose_order, "sequence 0, token 0, all layers: order lost: consecutive tokens share 0."),
}


def run(*words, status=0, stdin=None):
    result = CliRunner().invoke(app, ["trace", *map(str, words)], input=stdin)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result


@pytest.fixture(params=DEFECTS)
def defect(request, tmp_path):
    """A rule, the line that names the defect, and an archive that has it."""
    change, line = DEFECTS[request.param]
    experts = recording()
    change(experts)
    np.savez(tmp_path / "source.npz", experts=experts, lengths=[100, 100])
    return request.param, line, tmp_path / "source.npz"


def test_import_refuses_what_is_no_recording_and_names_the_place(tmp_path, defect):
    rule, line, source = defect
    result = run("import", source, "--out", tmp_path / "t.parquet", "--experts", 16, status=2)
    assert result.stderr.startswith(f"error: {source}: not a trace: {rule} (1); first: {line}")
    assert "--force" in result.stderr and result.stderr.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["source.npz"]


def test_force_writes_it_and_validate_goes_on_naming_it(tmp_path, defect):
    rule, line, source = defect
    out = tmp_path / "t.parquet"
    result = run("import", source, "--out", out, "--experts", 16, "--force")
    assert result.stderr.startswith(f"defect: {line}")
    result = run("validate", out, status=2)
    assert result.stdout.startswith(line) and result.stdout.count("\n") == 1
    assert result.stderr.startswith(f"error: {out}: not a trace: {rule} (1); first: {line}")
    batches = Trace.read(out) if rule != "expert id out of range" else None
    assert batches is None or batches.meta.provenance["defects"] == {rule: 1}


def test_a_recording_is_imported_without_a_word_of_defects(tmp_path):
    np.savez(tmp_path / "source.npz", experts=recording())
    result = run("import", tmp_path / "source.npz", "--out", tmp_path / "t", "--experts", 16, "--force")
    assert "defect" not in result.stderr
    assert "defects" not in Trace.read(tmp_path / "t").meta.provenance


def test_several_sources_and_standard_input(tmp_path):
    lines = "".join(json.dumps({"tok": i, "layers": e}) + "\n" for i, e in enumerate(recording().tolist()))
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    out = tmp_path / "t.parquet"
    run("import", tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz", "--out", out, "--experts", 16)
    trace = Trace.read(out)
    assert (len(trace), trace.meta.provenance["source"]) == (400, "a.jsonl, b.jsonl.gz")
    np.testing.assert_array_equal(trace.experts[:200], trace.experts[200:])
    result = run("import", "-", "--out", out, "--experts", 16, stdin=gzip.compress(lines.encode()))
    assert "200 tokens" in result.stdout


def test_a_trace_is_not_imported_again(tmp_path):
    np.savez(tmp_path / "source.npz", experts=recording())
    run("import", tmp_path / "source.npz", "--out", tmp_path / "t.parquet", "--experts", 16)
    result = run("import", tmp_path / "t.parquet", "--out", tmp_path / "u.parquet", status=2)
    assert result.stderr.startswith(f"error: {tmp_path / 't.parquet'}: is a trace already: `moefetch trace merge`")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source.npz", "t.parquet"]


def test_edits_of_a_trace_name_what_they_wrote(tmp_path):
    experts = recording().astype(np.uint16)
    n = len(experts)
    trace = Trace(
        TraceMeta("m", (0, 1, 2, 3), 16, 3),
        sequence=np.repeat(np.arange(4), n // 4).astype(np.int32),
        position=np.tile(np.arange(n // 4), 4).astype(np.int32),
        phase=np.full(n, DECODE, np.uint8),
        token=np.zeros(n, np.int32),
        experts=experts,
    )
    paths = {name: tmp_path / f"{name}.parquet" for name in "abcde"}
    write_trace(paths["a"], trace)
    assert run("slice", paths["a"], "--sequences", "1,3", "--out", paths["b"]).stdout.startswith(
        f"{paths['b']}: m, 100 "
    )
    assert "m, 300 tokens" in run("merge", paths["a"], paths["b"], "--out", paths["c"]).stdout
    assert "m, 100 tokens" in run("slice", paths["c"], "--domain", "b", "--out", paths["d"]).stdout
    result = run("split", paths["a"], "--train", paths["d"], "--test", paths["e"], "--test-share", 0.25)
    assert [line.split(", ")[1] for line in result.stdout.splitlines()] == ["150 tokens", "50 tokens"]
    result = run("convert", paths["a"], "--out", tmp_path / "a.npz")
    assert result.stderr == f"next: moefetch trace import {tmp_path / 'a.npz'} --out a.imported.parquet\n"
    run("import", tmp_path / "a.npz", "--out", paths["b"])
    assert Trace.read(paths["b"]).meta.content_sha256 == Trace.read(paths["a"]).meta.content_sha256


def test_mistakes_in_edits_are_one_line(tmp_path):
    path = tmp_path / "t.parquet"
    experts = recording().astype(np.uint16)
    steps = np.arange(len(experts), dtype=np.int32)
    phase = np.full(len(experts), DECODE, np.uint8)
    write_trace(path, Trace(TraceMeta("m", (0, 1, 2, 3), 16, 3), steps * 0, steps, phase, steps, experts))
    for words, message in (
        (("slice", path, "--out", tmp_path / "o"), "nothing selected: state --sequences, --phase or --domain"),
        (("slice", path, "--sequences", "x", "--out", tmp_path / "o"), "must be numbers and ranges"),
        (("slice", path, "--phase", "prefill", "--out", tmp_path / "o"), "no rows of {'phase': 'prefill'}"),
        (("slice", path, "--domain", "d", "--out", tmp_path / "o"), "names no domains"),
        (("merge", path, "--out", tmp_path / "o"), "one trace: must be two or more"),
        (("split", path, "--train", tmp_path / "o", "--test", tmp_path / "p"), "1 sequence: must be two or more"),
        (("convert", path, "--out", tmp_path / "o.csv"), "suffix '.csv': must be one of"),
        (("convert", tmp_path / "none", "--out", tmp_path / "o.npz"), "no such file"),
    ):
        result = run(*words, status=2)
        assert result.stderr.startswith("error: ") and message in result.stderr and result.stderr.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]

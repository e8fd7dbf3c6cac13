"""Truncated, corrupted and shuffled sources of every format: a message, never a crash, never a partial file."""

import dataclasses
import json
import random

import numpy as np
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.importers.table import import_file

from .fixtures import OPTIONS, SOURCES, prompted

LINES = (".jsonl", ".csv", ".txt")
"""Of these, what ends with a line is whole as far as anyone can tell, unless a token is not."""
KEYED = ("bigmoe",)
"""Each row says which token it is of: the order of rows is no matter."""


@pytest.fixture(params=SOURCES)
def name(request):
    if request.param == "sglang-recorder":
        pytest.importorskip("torch", reason="torch writes the recorder's file")
    return request.param


@pytest.fixture
def attempt(tmp_path, name):
    """Import a source: (rows, None) or (None, message); there is an output or none at all."""
    out = tmp_path / "out" / "t.parquet"
    out.parent.mkdir()

    def run(source, force=False):
        rows = message = None
        try:
            rows = import_file([source], out, name, OPTIONS, force=force)[1].rows
        except UserError as error:
            message = str(error)
            assert message and "\n" not in message
        assert [p.name for p in out.parent.iterdir()] == ([] if rows is None else ["t.parquet"])
        out.unlink(missing_ok=True)
        return rows, message

    return run


@pytest.fixture
def source(tmp_path, name, make_trace):
    (tmp_path / "in").mkdir()
    return SOURCES[name](tmp_path / "in", prompted(make_trace(lengths=(9, 11))))


def last_file(source):
    return source if source.is_file() else sorted(p for p in source.iterdir())[-1]


def test_every_cut_is_refused(source, attempt):
    whole, _ = attempt(source)
    assert whole == 20
    file = last_file(source)
    content = file.read_bytes()
    cuts = {0, 1, len(content) - 1, *range(0, len(content), len(content) // 25)}
    for size in sorted(cuts):
        file.write_bytes(content[:size])
        rows, _ = attempt(source)
        is_whole = content[:size].rstrip() == content.rstrip()
        if file.suffix in LINES and content[:size].endswith((b"\n", b"}")):
            assert rows is None or 0 < rows <= whole
        else:
            assert rows is None or is_whole, f"cut at {size} of {len(content)}"


def test_damaged_bytes_are_a_message_or_another_value(source, attempt):
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    file = last_file(source)
    content = file.read_bytes()
    for _ in range(40):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 1, 4))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        file.write_bytes(damaged)
        attempt(source, force=rng.random() < 0.3)


def mutated(rng, value):
    """The JSON value with something in it replaced."""
    others = (None, True, -1, 1.5, 10**30, "x", "", [], {}, [[]], [1], [[[1, 1]]], {"a": 1})
    if rng.random() < 0.2 or not isinstance(value, list | dict) or not value:
        return rng.choice(others)
    copy = list(value) if isinstance(value, list) else dict(value)
    place = rng.randrange(len(copy)) if isinstance(copy, list) else rng.choice(sorted(copy))
    if rng.random() < 0.15:
        del copy[place]
    else:
        copy[place] = mutated(rng, copy[place])
    return copy


@pytest.mark.parametrize("name", ["vllm", "sglang", "expert-selection", "gpt-oss-fingerprint", "warp"])
def test_documents_of_another_shape_are_a_message_or_a_trace(source, attempt):
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    file = last_file(source)
    documents = [json.loads(line) for line in (file.read_text().splitlines() if file.suffix == ".jsonl" else [])]
    documents = documents or [json.loads(file.read_text())]
    for _ in range(150):
        changed = list(documents)
        place = rng.randrange(len(changed))
        changed[place] = mutated(rng, changed[place])
        file.write_text("\n".join(map(json.dumps, changed)))
        attempt(source, force=rng.random() < 0.3)


def test_rows_in_another_order_are_no_trace(tmp_path, name, make_trace, attempt):
    """A long recording whose rows were shuffled within its sequences has lost its order, whatever holds it."""
    trace = prompted(make_trace(lengths=(700,), n_layers=3))
    order = np.random.default_rng(5).permutation(len(trace))
    mixed = dataclasses.replace(trace, experts=trace.experts[order], scores=trace.scores[order])
    (tmp_path / "in").mkdir()
    (tmp_path / "mixed").mkdir()
    assert attempt(SOURCES[name](tmp_path / "in", trace)) == (700, None)
    _, message = attempt(SOURCES[name](tmp_path / "mixed", mixed))
    assert message is not None and "order lost (1); first: sequence 0, token 0, all layers" in message


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["llama-moe-trace", "bigmoe", "warp", "colibri"])
def test_lines_in_another_order_are_refused(source, attempt, name, seed):
    file = last_file(source)
    lines = file.read_text().splitlines(keepends=True)
    n_header = sum(line.startswith(("#", "layer", "turn")) for line in lines)
    rows = lines[n_header:]
    random.Random(seed).shuffle(rows)
    file.write_text("".join(lines[:n_header] + rows))
    found, message = attempt(source)
    assert found == 20 if name in KEYED else message is not None

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moefetch.traces import writer
from moefetch.traces.content_hash import content_hash
from moefetch.traces.errors import UserError
from moefetch.traces.format import ABSENT, METADATA_KEY, Trace, TraceMeta
from moefetch.traces.writer import write_trace


@st.composite
def traces(draw):
    """Any trace the format can hold, absent experts, unknown tokens and optional columns included."""
    n_experts = draw(st.integers(1, 300))
    top_k = draw(st.integers(1, min(4, n_experts)))
    n_hints = draw(st.integers(0, min(3, n_experts)))
    layers = draw(st.lists(st.integers(0, 90), min_size=1, max_size=4, unique=True).map(sorted))
    meta = TraceMeta(
        draw(st.text(max_size=5)),
        tuple(layers),
        n_experts,
        top_k,
        n_hints,
        1 if n_hints else 0,
        provenance=draw(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2)),
    )
    n = draw(st.integers(1, 12))
    if n_hints:
        meta = dataclasses.replace(meta, far_horizons=draw(st.integers(0, len(layers) - 1)))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))

    def ids(k):
        values = rng.integers(0, n_experts, (n, len(layers), k)).astype(np.uint16)
        return np.where(rng.random(values.shape) < 0.2, np.uint16(ABSENT), values)

    def floats(k):
        return rng.normal(size=(n, len(layers), k)).astype(np.float16)

    optional = {"scores": floats(top_k), "window": rng.integers(0, 9, n).astype(np.int32)}
    optional["logits"] = floats(n_experts)
    optional["accepted"] = rng.random(n) < 0.5
    if n_hints:
        optional |= {"hints": ids(n_hints), "hint_scores": floats(n_hints), "draft_experts": ids(n_hints)}
    if meta.far_horizons:
        width = meta.far_horizons * n_hints
        optional |= {"far_hints": ids(width), "far_scores": floats(width)}
    chosen = draw(st.sets(st.sampled_from(sorted(optional))))
    return Trace(
        meta,
        sequence=rng.integers(0, 1 << 31, n).astype(np.int32),
        position=rng.integers(0, 1 << 31, n).astype(np.int32),
        phase=rng.integers(0, 2, n).astype(np.uint8),
        token=rng.integers(-1, 5, n).astype(np.int32),
        experts=ids(top_k),
        **{name: optional[name] for name in chosen},
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trace=traces(), group_bytes=st.sampled_from([8, 64, 1 << 20]))
def test_what_is_written_is_read(tmp_path, monkeypatch, assert_same, trace, group_bytes):
    with monkeypatch.context() as patch:
        patch.setattr(writer, "ROW_GROUP_BYTES", group_bytes)
        meta = write_trace(tmp_path / "t.parquet", trace)
        read = Trace.read(tmp_path / "t.parquet")
    assert_same(read, trace)
    assert read.meta == meta == dataclasses.replace(trace.meta, content_sha256=content_hash(trace))


def test_the_same_trace_gives_the_same_bytes(tmp_path, make_trace):
    for name in ("a", "b"):
        write_trace(tmp_path / name, make_trace(full=True))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_file_has_the_columns_of_the_contract(tmp_path, make_trace):
    trace = make_trace(full=True)
    trace.scores = None
    write_trace(tmp_path / "t.parquet", trace)
    file = pq.ParquetFile(tmp_path / "t.parquet")
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert types["experts"] == "fixed_size_list<element: uint16>[12]"
    assert types["scores"] == "fixed_size_list<element: halffloat>[12]"
    assert types["hints"] == "fixed_size_list<element: uint16>[16]"
    assert [types[name] for name in ("sequence", "position", "phase", "token")] == [
        "int32",
        "int32",
        "uint8",
        "int32",
    ]
    assert [types[name] for name in ("window", "accepted")] == ["int32", "bool"]
    assert METADATA_KEY in file.metadata.metadata
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    table = file.read()
    assert table.column("scores").null_count == len(trace)
    assert table.column("token").null_count == (trace.token == -1).sum() > 0
    assert table.column("experts")[1].as_py() == trace.experts[1].reshape(-1).tolist()  # layer-major


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, make_trace, monkeypatch):
    path = tmp_path / "t.parquet"
    write_trace(path, make_trace(seed=1))
    before = path.read_bytes()

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, "_arrow_array", fail)
    with pytest.raises(KeyboardInterrupt):
        write_trace(path, make_trace(seed=2))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


def test_an_output_that_cannot_be_written_is_named(tmp_path, make_trace):
    with pytest.raises(UserError, match=r"missing/t\.parquet: folder .* does not exist"):
        write_trace(tmp_path / "missing" / "t.parquet", make_trace())
    with pytest.raises(UserError, match="is a folder"):
        write_trace(tmp_path, make_trace())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("has_scores", [False, True])
def test_a_trace_without_rows_is_neither_written_nor_read(tmp_path, make_trace, has_scores):
    trace = make_trace().select(slice(0, 0))
    trace = trace if has_scores else dataclasses.replace(trace, scores=None)
    with pytest.raises(UserError, match=r"t: no rows: a trace must have one or more"):
        write_trace(tmp_path / "t", trace)
    with writer.TraceWriter(tmp_path / "t", trace.meta) as unfinished, pytest.raises(ValueError, match="one row"):
        unfinished.finish()
    assert not list(tmp_path.iterdir())
    write_trace(tmp_path / "t", make_trace())
    pq.write_table(pq.read_table(tmp_path / "t").slice(0, 0), tmp_path / "t")
    with pytest.raises(UserError, match=r"t: no rows: a trace must have one or more"):
        Trace.read(tmp_path / "t")

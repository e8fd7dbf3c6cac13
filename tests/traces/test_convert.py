import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from moefetch.traces import writer
from moefetch.traces.convert import convert_trace
from moefetch.traces.errors import UserError
from moefetch.traces.format import ABSENT, Trace
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.table import import_file, import_trace
from moefetch.traces.writer import write_trace

from .trace_strategies import traces


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("converted")


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr(writer, "ROW_GROUP_BYTES", 64)


@settings(deadline=None, max_examples=40)
@given(traces())
def test_convert_import_write_read_is_the_identity(folder, assert_same, trace):
    write_trace(folder / "t.parquet", trace)
    assert convert_trace(folder / "t.parquet", folder / "t.npz") == len(trace)
    import_file([folder / "t.npz"], folder / "u.parquet", None, ImportOptions(), force=True)
    found = Trace.read(folder / "u.parquet")
    order = list(dict.fromkeys(trace.sequence.tolist()))
    assert_same(found, trace)
    assert len(order) == len(set(found.sequence.tolist()))
    for name in (
        "model",
        "layers",
        "n_experts",
        "top_k",
        "n_hints",
        "hint_horizon",
        "far_horizons",
        "licence",
        "recorder",
    ):
        assert getattr(found.meta, name) == getattr(trace.meta, name)
    assert found.meta.content_sha256 == Trace.read(folder / "t.parquet").meta.content_sha256
    converted = found.meta.provenance["converted"]
    assert converted["edits"][-1]["from"] == "t.parquet"
    assert found.meta.provenance.get("categories") == trace.meta.provenance.get("categories")


def test_the_same_trace_gives_the_same_archive(tmp_path, make_trace):
    write_trace(tmp_path / "t", make_trace(full=True))
    for name in ("a.npz", "b.npz"):
        convert_trace(tmp_path / "t", tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as archive:
        assert archive["experts"].shape == (32, 4, 3)
        assert json.loads(str(archive["meta"]))["model"] == "test-model"


def test_columns_can_be_dropped(tmp_path, make_trace):
    trace = make_trace(full=True)
    write_trace(tmp_path / "t", trace)
    convert_trace(tmp_path / "t", tmp_path / "u.parquet", ["logits", "scores", "window"])
    found = Trace.read(tmp_path / "u.parquet")
    assert trace.columns().keys() - found.columns().keys() == {"logits", "scores", "window"}
    np.testing.assert_array_equal(found.draft_experts, trace.draft_experts)
    assert found.meta.provenance["edits"][-1]["dropped"] == ["logits", "scores", "window"]


def test_lines_of_json_are_warps(tmp_path, make_trace):
    trace = make_trace()
    write_trace(tmp_path / "t", trace)
    convert_trace(tmp_path / "t", tmp_path / "u.jsonl")
    found = import_trace(tmp_path / "u.jsonl", None, ImportOptions(n_experts=16))
    np.testing.assert_array_equal(found.experts, trace.experts)
    np.testing.assert_array_equal(found.sequence, trace.sequence)
    trace.experts[5, 2, 0] = ABSENT
    write_trace(tmp_path / "t", trace)
    with pytest.raises(UserError, match=r"v\.jsonl: sequence 0, token 5, layer 2: an absent expert"):
        convert_trace(tmp_path / "t", tmp_path / "v.jsonl")
    assert not (tmp_path / "v.jsonl").exists()


def test_what_cannot_be_converted_is_named(tmp_path, make_trace):
    path = tmp_path / "t.parquet"
    write_trace(path, dataclasses.replace(make_trace()))
    for out, drop, message in (
        (tmp_path / "a.csv", (), r"suffix '\.csv': must be one of \.parquet, \.npz, \.jsonl"),
        (path, (), "is the source"),
        (tmp_path / "a.npz", ("experts",), "--drop experts: must be one of scores, hints"),
    ):
        with pytest.raises(UserError, match=message):
            convert_trace(path, out, drop)
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]

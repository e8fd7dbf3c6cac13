import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from moefetch.traces.errors import UserError
from moefetch.traces.format import Trace
from moefetch.traces.merging import merge_traces
from moefetch.traces.slicing import Selection, slice_trace
from moefetch.traces.writer import write_trace

from .trace_strategies import traces


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("merged")


@settings(deadline=None, max_examples=40)
@given(traces())
def test_a_merge_keeps_every_row_and_its_slices_give_back_the_parts(folder, trace):
    write_trace(folder / "a.parquet", trace)
    write_trace(folder / "b.parquet", trace)
    meta, n = merge_traces([folder / "a.parquet", folder / "b.parquet"], folder / "m.parquet")
    merged = Trace.read(folder / "m.parquet")
    assert n == len(merged) == 2 * len(trace)
    n_sequences = len(set(trace.sequence.tolist()))
    for first, part in ((0, slice(0, len(trace))), (n_sequences, slice(len(trace), None))):
        found = merged.select(part)
        order = list(dict.fromkeys(trace.sequence.tolist()))
        assert found.sequence.tolist() == [first + order.index(number) for number in trace.sequence]
        for name, values in trace.columns().items():
            if name not in ("sequence", "window"):
                np.testing.assert_array_equal(getattr(found, name), values)
    if trace.window is not None:
        left, right = merged.window[: len(trace)], merged.window[len(trace) :]
        assert not {*left[left >= 0].tolist()} & {*right[right >= 0].tolist()}
        np.testing.assert_array_equal(right - left, np.where(trace.window < 0, 0, trace.window.max() + 1))
    named = trace.meta.provenance.get("categories")
    expected = [*named, *named] if named else ["a"] * n_sequences + ["b"] * n_sequences
    assert meta.provenance["categories"] == expected
    assert [part["file"] for part in meta.provenance["merged"]] == ["a.parquet", "b.parquet"]
    assert meta.provenance["merged"][0]["provenance"] == trace.meta.provenance
    if not named:
        slice_trace(folder / "m.parquet", folder / "s.parquet", Selection(domains=("b",)))
        np.testing.assert_array_equal(Trace.read(folder / "s.parquet").experts, trace.experts)


def test_what_does_not_fit_together_is_named_and_leaves_no_file(tmp_path, make_trace):
    trace = make_trace()
    write_trace(tmp_path / "a", trace)
    write_trace(tmp_path / "b", dataclasses.replace(trace, meta=dataclasses.replace(trace.meta, model="other")))
    write_trace(tmp_path / "c", dataclasses.replace(trace, meta=dataclasses.replace(trace.meta, n_experts=17)))
    write_trace(tmp_path / "d", dataclasses.replace(trace, window=trace.position))
    before = sorted(p.name for p in tmp_path.iterdir())
    for names, message in (
        ("ab", "b: model other: must be test-model as in .*a"),
        ("ac", "c: n_experts 17: must be 16"),
        ("ad", r"d: columns sequence, .*window.*\(`moefetch trace convert --drop` drops some\)"),
        ("a", "one trace: must be two or more"),
    ):
        with pytest.raises(UserError, match=message):
            merge_traces([tmp_path / name for name in names], tmp_path / "out")
    with pytest.raises(UserError, match="a: is the source: the output must be another file"):
        merge_traces([tmp_path / "a", tmp_path / "a"], tmp_path / "a")
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_licences_and_programs_of_all_parts_are_kept(tmp_path, make_trace):
    trace = make_trace()
    for name, licence, recorder in (("a", "MIT", {"x": "1"}), ("b", "CC0-1.0", {"x": "2", "y": "3"})):
        meta = dataclasses.replace(trace.meta, licence=licence, recorder=recorder)
        write_trace(tmp_path / name, dataclasses.replace(trace, meta=meta))
    meta, _ = merge_traces([tmp_path / "a", tmp_path / "b"], tmp_path / "m")
    assert meta.licence == "MIT; CC0-1.0"
    assert meta.recorder == {"x": "1", "y": "3"}

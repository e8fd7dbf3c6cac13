import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moefetch.traces import writer
from moefetch.traces.errors import UserError
from moefetch.traces.format import PREFILL, Trace
from moefetch.traces.slicing import Selection, parse_sequences, slice_trace, split_trace
from moefetch.traces.writer import write_trace

from .trace_strategies import traces


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("slices")


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr(writer, "ROW_GROUP_BYTES", 64)


def rows(trace):
    """Every column of every row, to compare sets of rows."""
    return [tuple(values[i].tobytes() for values in trace.columns().values()) for i in range(len(trace))]


@settings(deadline=None, max_examples=40)
@given(traces(), st.floats(0.05, 0.95), st.integers(0, 5))
def test_the_parts_of_a_split_are_disjoint_and_complete(folder, trace, share, seed):
    write_trace(folder / "t", trace)
    outs = (folder / "train", folder / "test")
    if len(set(trace.sequence.tolist())) < 2:
        with pytest.raises(UserError, match="1 sequence: must be two or more"):
            split_trace(folder / "t", outs, share, seed)
        return
    written = split_trace(folder / "t", outs, share, seed)
    train, test = (Trace.read(out) for out in outs)
    assert [n for _, n in written] == [len(train), len(test)]
    assert not {*train.sequence.tolist()} & {*test.sequence.tolist()}
    assert sorted(rows(train) + rows(test)) == sorted(rows(trace))
    assert train.columns().keys() == test.columns().keys() == trace.columns().keys()
    domains = dict(
        zip(dict.fromkeys(trace.sequence.tolist()), trace.meta.provenance.get("categories", []), strict=False)
    )
    for part in (train, test):
        expected = [domains[number] for number in dict.fromkeys(part.sequence.tolist())] if domains else None
        assert part.meta.provenance.get("categories") == expected
        edit = part.meta.provenance["edits"][-1]
        assert (edit["from"], edit["seed"], edit["test_share"]) == ("t", seed, share)
    again = split_trace(folder / "t", outs, share, seed)
    assert again == written


def test_a_split_is_the_same_on_every_machine(folder, make_trace):
    write_trace(folder / "t", make_trace(lengths=(3,) * 10))
    split_trace(folder / "t", (folder / "a", folder / "b"), 0.3, 0)
    assert sorted({*Trace.read(folder / "b").sequence.tolist()}) == [4, 7, 9]


@settings(deadline=None, max_examples=40)
@given(traces(), st.sampled_from([None, "prefill", "decode"]), st.sets(st.integers(0, 50), max_size=30), st.booleans())
def test_a_slice_is_the_rows_that_fit_all(folder, trace, phase, sequences, by_domain):
    write_trace(folder / "t", trace)
    ranges = tuple((number, number) for number in sequences)
    selection = Selection(ranges, phase, ("d1",) if by_domain else ())
    names = trace.meta.provenance.get("categories")
    order = list(dict.fromkeys(trace.sequence.tolist()))
    kept = np.ones(len(trace), bool)
    if sequences:
        kept &= np.isin(trace.sequence, list(sequences))
    if phase:
        kept &= (trace.phase == PREFILL) == (phase == "prefill")
    if by_domain and names:
        kept &= np.array([order.index(number) % 2 == 1 for number in trace.sequence])
    if not kept.any() or (by_domain and not names):
        with pytest.raises(UserError, match="names no domains" if by_domain and not names else "no rows of"):
            slice_trace(folder / "t", folder / "out", selection)
        return
    _, n = slice_trace(folder / "t", folder / "out", selection)
    found = Trace.read(folder / "out")
    assert n == len(found) == kept.sum()
    assert rows(found) == rows(trace.select(kept))
    if names:
        left = dict.fromkeys(trace.sequence[kept].tolist())
        assert found.meta.provenance["categories"] == [names[order.index(number)] for number in left]


def test_provenance_is_extended_and_never_lost(folder, make_trace):
    trace = make_trace(lengths=(4, 4, 4))
    trace.meta.provenance["text"] = "novel"
    write_trace(folder / "t", trace)
    slice_trace(folder / "t", folder / "u", Selection(parse_sequences("0-1")))
    (meta, _), _ = split_trace(folder / "u", (folder / "v", folder / "w"), 0.5, 3)
    assert meta.provenance["text"] == "novel"
    assert [edit["operation"] for edit in meta.provenance["edits"]] == ["slice", "split"]
    assert meta.provenance["edits"][0]["selected"] == {"sequences": [[0, 1]]}
    assert meta.provenance["edits"][1]["from_content_sha256"] == Trace.read(folder / "u").meta.content_sha256


@pytest.mark.parametrize("text", ["", "a", "3-1", "1-", "-2", "1,,2", "1.5"])
def test_what_is_no_list_of_sequences_is_named(text):
    with pytest.raises(UserError, match="must be numbers and ranges such as 0-9,15"):
        parse_sequences(text)
    assert parse_sequences("0-9,15") == ((0, 9), (15, 15))


def test_what_cannot_be_split_or_written_leaves_no_file(tmp_path, make_trace):
    path = tmp_path / "t"
    write_trace(path, make_trace())
    for outs, share, message in (
        ((tmp_path / "a", tmp_path / "a"), 0.5, "a: is the training part"),
        ((tmp_path / "a", path), 0.5, "t: is the source"),
        ((tmp_path / "a", tmp_path / "no" / "b"), 0.5, "does not exist"),
        ((tmp_path / "a", tmp_path / "b"), 1.0, r"test share 1\.0: must be above 0 and below 1"),
    ):
        with pytest.raises(UserError, match=message):
            split_trace(path, outs, share, 0)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError):
        split_trace(path, (tmp_path / "a", tmp_path / "b"), 0.5, 0)
    with pytest.raises(UserError):
        slice_trace(path, tmp_path / "a", Selection(phase="decode"))
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


def test_a_damaged_content_leaves_no_part(tmp_path, make_trace):
    """The damage is found at the end, when the content hash is compared: nothing may be there by then."""
    trace = make_trace()
    write_trace(tmp_path / "t", trace)
    whole = bytearray((tmp_path / "t").read_bytes())
    text = Trace.read(tmp_path / "t").meta.content_sha256.encode()
    while (at := whole.find(text)) >= 0:
        whole[at : at + 64] = text[::-1]
    (tmp_path / "t").write_bytes(whole)
    with pytest.raises(UserError, match=r"content hash|cannot be read|not a"):
        split_trace(tmp_path / "t", (tmp_path / "a", tmp_path / "b"), 0.5, 0)
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


def test_too_few_names_of_sequences_are_named(tmp_path, make_trace):
    trace = make_trace()
    meta = dataclasses.replace(trace.meta, provenance={"categories": ["a"]})
    write_trace(tmp_path / "t", dataclasses.replace(trace, meta=meta))
    with pytest.raises(UserError, match="t: 1 categories in the provenance: must be 2"):
        split_trace(tmp_path / "t", (tmp_path / "a", tmp_path / "b"), 0.5, 0)
    with pytest.raises(UserError, match="t: 1 categories in the provenance: must be 2"):
        slice_trace(tmp_path / "t", tmp_path / "a", Selection(phase="decode"))
    assert [path.name for path in tmp_path.iterdir()] == ["t"]

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moefetch.traces import writer
from moefetch.traces.errors import UserError
from moefetch.traces.format import ABSENT, DECODE, METADATA_KEY, PREFILL, Trace
from moefetch.traces.reader import TraceFile, read_batches
from moefetch.traces.writer import write_trace


@pytest.fixture
def path(tmp_path, make_trace):
    write_trace(tmp_path / "t.parquet", make_trace(full=True))
    return tmp_path / "t.parquet"


def rewritten(path, change):
    """Write the file's Arrow table again, changed."""
    pq.write_table(change(pq.read_table(path)), path)
    return path


def refusal(path, read=Trace.read):
    with pytest.raises(UserError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_batches_are_bounded_and_whole(path, make_trace, assert_same, monkeypatch):
    monkeypatch.setattr(writer, "ROW_GROUP_BYTES", 4 * 3 * 2 * 5)
    write_trace(path, make_trace(full=True))
    assert pq.ParquetFile(path).metadata.num_row_groups == 7
    batches = list(read_batches(path))
    assert [len(batch) for batch in batches] == [5, 5, 5, 5, 5, 5, 2]
    assert_same(Trace.concatenate(batches), make_trace(full=True))


def test_read_a_part(path, make_trace, assert_same):
    assert_same(Trace.read(path, 7), make_trace(full=True).select(slice(7)))
    assert len(Trace.read(path, 10**9)) == 32
    assert "0 tokens: must be 1 or more" in refusal(path, lambda p: Trace.read(p, 0))


def test_read_one_phase(tmp_path, make_trace):
    trace = make_trace()
    trace.phase[:20] = PREFILL
    write_trace(tmp_path / "t", trace)
    assert Trace.read(tmp_path / "t", 3, phase=DECODE).position.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(TraceFile(tmp_path / "t").phases(), trace.phase)
    trace.phase[:] = PREFILL
    write_trace(tmp_path / "t", trace)
    assert "no rows of phase 1" in refusal(tmp_path / "t", lambda p: Trace.read(p, phase=DECODE))


def test_no_truncated_file_is_read(path):
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        assert "truncated or foreign" in refusal(path)


def test_no_damaged_byte_changes_what_is_read(path, assert_same):
    whole, trace = path.read_bytes(), Trace.read(path)
    seed = np.random.SeedSequence().entropy
    print("seed", seed)
    rng = np.random.default_rng(seed)
    refused = 0
    for place in rng.choice(len(whole), 600, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            assert_same(Trace.read(path), trace)  # only in bytes that carry no content, as in names of programs
        except UserError:
            refused += 1
    assert refused > 300


def test_a_foreign_file_is_refused(tmp_path):
    foreign = tmp_path / "f.parquet"
    foreign.write_text("not Parquet at all")
    assert "not a readable Parquet file" in refusal(foreign)
    pq.write_table(pa.table({"a": [1]}), foreign)
    assert "Parquet, but not a trace: it has no metadata under the key 'moefetch'" in refusal(foreign)
    assert "is a folder" in refusal(tmp_path)
    assert "no such file" in refusal(tmp_path / "none.parquet")


def test_wrong_columns_are_refused(path):
    whole = path.read_bytes()
    for change, message in (
        (lambda t: t.drop_columns("phase"), "column 'phase': found 0 times: must be there once"),
        (
            lambda t: t.append_column("extra", t.column("phase")),
            "column 'extra': not a column of a version 1 trace",
        ),
        (
            lambda t: t.set_column(1, "position", t.column("position").cast("int64")),
            "column 'position': type int64",
        ),
    ):
        path.write_bytes(whole)
        assert message in refusal(rewritten(path, change))


def test_metadata_that_does_not_fit_the_columns_is_refused(path):
    def with_metadata(**change):
        meta = dataclasses.replace(Trace.read(path).meta, **change)
        return lambda table: table.replace_schema_metadata({METADATA_KEY: meta.to_json()})

    whole = path.read_bytes()
    for change, message in (
        ({"top_k": 2}, "column 'experts': type fixed_size_list<element: uint16>[12]: must be"),
        ({"n_experts": 20}, "column 'logits': type fixed_size_list<element: halffloat>[64]: must be"),
        ({"hint_horizon": 2}, "its metadata states"),  # part of the content hash
        ({"content_sha256": ""}, "its metadata states none"),
    ):
        path.write_bytes(whole)
        assert message in refusal(rewritten(path, with_metadata(**change)))


def test_changed_content_is_refused(path):
    def change(table):
        positions = table.column("position").to_numpy().copy()
        positions[3] += 100
        return table.set_column(1, table.schema.field("position"), pa.chunked_array([pa.array(positions)]))

    assert "content hash" in refusal(rewritten(path, change))


def test_nulls_beside_values_are_refused(path):
    def change(table):
        values = [None, *table.column("scores").to_pylist()[1:]]
        index = table.schema.get_field_index("scores")
        return table.set_column(
            index, table.schema.field("scores"), pa.array(values, table.schema.field("scores").type)
        )

    assert "column 'scores': has nulls beside values" in refusal(rewritten(path, change))


@pytest.mark.parametrize("column", ["experts", "hints", "draft_experts"])
def test_an_expert_out_of_range_is_named(path, make_trace, column):
    trace = make_trace(full=True)
    getattr(trace, column)[21, 2, 1] = 16
    write_trace(path, trace)
    assert refusal(path) == f"sequence 1, position 1, layer 2: {column} id 16: must be below n_experts = 16"
    assert len(list(TraceFile(path).batches(check_ids=False))) == 1


def test_absent_experts_are_in_range(path, make_trace, assert_same):
    trace = make_trace()
    trace.experts[4, 3] = ABSENT
    write_trace(path, trace)
    assert_same(Trace.read(path), trace)

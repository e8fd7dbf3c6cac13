import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.importers import flame_moe
from moefetch.traces.importers.table import import_trace

from .fixtures import OPTIONS, write_flame


@pytest.fixture
def folder(tmp_path, make_trace, monkeypatch):
    monkeypatch.setattr(flame_moe, "_ROWS", 7)
    return write_flame(tmp_path, make_trace())


def rewritten(file, change):
    pq.write_table(change(pq.read_table(file)), file)


def test_layers_lie_side_by_side(folder, make_trace):
    trace = import_trace(folder, None, OPTIONS)
    assert trace.meta.layers == (0, 1, 2, 3)
    np.testing.assert_array_equal(trace.experts, make_trace().experts)
    assert trace.position.tolist() == list(range(32))


def test_fixed_size_lists_are_read_too(folder, make_trace):
    for layer in range(4):
        flat = pa.array(make_trace().experts[:, layer].reshape(-1).astype(np.int16))
        table = pa.table({"indices": pa.FixedSizeListArray.from_arrays(flat, 3)})
        pq.write_table(table, folder / f"layer_{layer:02}.parquet")
    trace = import_trace(folder, None, OPTIONS)
    np.testing.assert_array_equal(trace.experts, make_trace().experts)
    assert trace.scores is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.slice(0, 20), r"layer_02\.parquet: 20 rows: must have as many as layer 0"),
        (lambda t: t.drop_columns(["indices"]), r"layer_02\.parquet: columns \['scores'\]: must have 'indices'"),
        (lambda t: t.drop_columns(["scores"]), "scores in some layers"),
        (
            lambda t: t.set_column(1, "indices", pa.array([[1, 2, 3]] * 31 + [[1, 2]], pa.list_(pa.int16()))),
            "column 'indices': nulls, or lists of unlike lengths",
        ),
        (
            lambda t: t.set_column(1, "indices", pa.array([[1, 2], [1, 2, 3, 4]] * 16, pa.list_(pa.int16()))),
            "column 'indices': .*lists of unlike lengths",
        ),
        (lambda t: t.set_column(1, "indices", pa.array([1] * 32)), "type int64: must be lists of k numbers"),
        (lambda t: t.set_column(1, "indices", pa.array([[1]] * 32)), r"\[1, 3\] experts a token in different layers"),
    ],
)
def test_what_is_wrong_is_named(folder, change, message):
    rewritten(folder / "layer_02.parquet", change)
    with pytest.raises(UserError, match=message):
        import_trace(folder, None, OPTIONS)


def test_two_checkpoints_are_not_one(folder):
    (folder / "iter_2").mkdir()
    (folder / "iter_2" / "layer_02.parquet").write_bytes((folder / "layer_02.parquet").read_bytes())
    with pytest.raises(UserError, match="layer 02 comes twice: give the folder of one recording"):
        import_trace(folder, None, OPTIONS)

"""Is every result kept whole, once, and for the next run, also when a sweep changes?"""

import pyarrow.parquet as pq
import pytest
from moefetch.sim.point_columns import METADATA_KEY, columns
from moefetch.sim.point_store import OTHERS, PARTS, RESULTS, PointStore, read_results
from moefetch.traces.errors import UserError

METADATA = {"command": "sweep"}


def row(point, policy="none", group="g"):
    found = dict.fromkeys(columns())
    return found | {
        "point": point, "group": group, "policy": policy, "engine": "model",
        "tpot_mean": 10.0 if policy == "none" else 5.0,
        "counter.miss": 8 if policy == "none" else 2, "link_beats": 4,
    }  # fmt: skip


def test_rows_are_there_for_the_next_process(tmp_path):
    with PointStore.opened(tmp_path) as store:
        store.add(row("a"))
        store.add(row("b", "st_moe"))
        store.add(row("b", "st_moe"))
    with PointStore.opened(tmp_path) as store:
        assert "a" in store and "c" not in store
        assert [found["point"] for found in store.rows(["b", "c", "a"])] == ["b", "a"]
        assert store.row("b") == row("b", "st_moe")


def test_the_end_is_one_file_with_comparisons_and_no_parts(tmp_path):
    with PointStore.opened(tmp_path) as store:
        for found in (row("a"), row("b", "st_moe"), row("c", "st_moe", group="alone")):
            store.add(found)
        assert not store.is_finished(["a", "b", "c"], METADATA)
        store.finish(["a", "b", "c"], METADATA)
        assert store.is_finished(["a", "b", "c"], METADATA)
        assert not store.is_finished(["a", "b"], METADATA)
        assert not store.is_finished(["a", "b", "c"], METADATA | {"points": 3})
    assert not list((tmp_path / PARTS).iterdir())
    found = pq.read_table(tmp_path / RESULTS).to_pylist()
    assert [(r["point"], r["speed_up"], r["coverage"]) for r in found] == [
        ("a", 1, 0),
        ("b", 2, 0.75),
        ("c", None, None),
    ]


def test_results_that_are_no_longer_asked_for_are_kept(tmp_path):
    with PointStore.opened(tmp_path) as store:
        for name in "abc":
            store.add(row(name))
        store.finish(["a", "b", "c"], METADATA)
        store.finish(["c"], METADATA)
    assert pq.read_table(tmp_path / RESULTS).column("point").to_pylist() == ["c"]
    assert [path.name for path in (tmp_path / PARTS).iterdir()] == [OTHERS]
    with PointStore.opened(tmp_path) as store:
        assert len(store.rows("abc")) == 3
        store.finish(["a", "b", "c"], METADATA)
    assert not list((tmp_path / PARTS).iterdir())


def test_what_a_killed_process_was_writing_is_removed(tmp_path):
    (tmp_path / PARTS).mkdir()
    (tmp_path / PARTS / ".a.parquet.123.tmp").write_bytes(b"PAR1")
    with PointStore.opened(tmp_path) as store:
        assert "a" not in store
    assert not list((tmp_path / PARTS).iterdir())


def test_two_at_once_are_refused(tmp_path):
    with PointStore.opened(tmp_path), pytest.raises(UserError, match="another sweep or exploration is writing there"):
        with PointStore.opened(tmp_path):
            pass
    with PointStore.opened(tmp_path):
        pass


def test_a_foreign_file_is_refused(tmp_path):
    (tmp_path / RESULTS).write_text("not Parquet")
    with pytest.raises(UserError, match=r"results\.parquet: cannot be read"), PointStore.opened(tmp_path):
        pass


def test_every_column_says_what_it_is(tmp_path):
    with PointStore.opened(tmp_path) as store:
        store.add(row("a"))
        store.finish(["a"], METADATA)
    table = read_results(tmp_path / RESULTS)
    assert b'"command": "sweep"' in table.schema.metadata[METADATA_KEY]
    for field in table.schema:
        said = {key.decode(): value.decode() for key, value in field.metadata.items()}
        assert said["kind"] in ("identity", "parameter", "figure", "counter")
        assert said["formula"]
        assert (said["label"] in ("measured", "modelled")) == (said["kind"] in ("figure", "counter")), field.name

"""Does a search find the front, propose the same whenever it is stopped, and refuse what is not a search?"""

import numpy as np
import pytest
from moefetch.sim.explore import OBJECTIVES, Search, require_units
from moefetch.sim.front_report import front_table, shown_front, write_front
from moefetch.sim.pareto import pareto_front
from moefetch.sim.point_columns import columns, identity_of
from moefetch.sim.point_store import PointStore
from moefetch.sim.sweep import local_backend, run_missing
from moefetch.sim.sweep_points import read_traces
from moefetch.sim.sweep_spec import read_sweep_spec
from moefetch.traces.errors import UserError

from .model_in_python import measured
from .sweep_fixtures import MEASURE, points_in, write_sweep

SPACE = "[options]\nbudget = [2, 1]\n[unit]\nqueue_depth = [2, 4, 8]"


def instant(points, traces):
    """Stand in for a backend: figures that follow from a point alone."""
    for point in points:
        rng = np.random.default_rng(int(point.digest, 16))
        figures = dict(zip(OBJECTIVES, rng.random(3).tolist(), strict=True))
        extra = {"engine": "model", "tpot_mean": 1.0, "link_beats": 1, "counter.miss": 1, "to_scale": True}
        yield dict.fromkeys(columns()) | identity_of(point) | extra | figures | {"storage_bits": point.slots}


def searched(path, out, trials, *, batch=2, seed=1, backend=instant):
    """Return digests in the order of proposals, the front's, and how many points were run."""
    spec, traces, _ = points_in(path)
    with PointStore.opened(out) as store:
        search = Search(spec, traces, store, out, seed)
        ran = search.run(trials, batch, backend, lambda done, total: None)
        rows, front = search.results()
        assert len(search.trials) == trials
        return [row["point"] for row in rows], [rows[place]["point"] for place in front], ran


def test_the_front_is_of_the_points_that_were_proposed(tmp_path):
    path = write_sweep(tmp_path, SPACE)
    found, front, ran = searched(path, tmp_path / "out", 24)
    _, traces, points = points_in(path)
    assert len(points) == 18
    assert 8 < len(found) == len(set(found)) == ran
    rows = [row for row in instant(points, traces) if row["point"] in found]
    expected = pareto_front([[row[name] for name in OBJECTIVES] for row in rows])
    assert set(front) == {rows[place]["point"] for place in expected}


def test_a_search_goes_on_as_if_it_had_not_been_stopped(tmp_path):
    path = write_sweep(tmp_path, SPACE)
    whole = searched(path, tmp_path / "whole", 12)
    first = searched(path, tmp_path / "parts", 8)
    assert first[0] == whole[0][: len(first[0])]
    second = searched(path, tmp_path / "parts", 12)
    assert second[:2] == whole[:2]
    assert first[2] + second[2] == whole[2]
    assert searched(path, tmp_path / "other", 12, seed=2)[0] != whole[0]


def test_a_batch_that_is_cut_off_is_proposed_again(tmp_path):
    path = write_sweep(tmp_path, SPACE)
    whole = searched(path, tmp_path / "whole", 12)

    def cut(points, traces):
        yield next(iter(instant(points, traces)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(path, tmp_path / "cut", 12, backend=cut)
    again = searched(path, tmp_path / "cut", 12)
    assert again[:2] == whole[:2]
    assert again[2] == whole[2] - 1  # what had come before the stop is not run again


def test_values_that_do_not_go_together_are_trials_without_a_result(tmp_path):
    path = write_sweep(tmp_path, "[unit]\nslots = [8, 12]\nscan_lanes = 4\nbanks = 8")
    spec = read_sweep_spec(path)
    traces = read_traces(spec.parameters["trace"])
    with PointStore.opened(tmp_path / "out") as store:
        search = Search(spec, traces, store, tmp_path / "out", 0)
        search.run(12, 2, instant, lambda done, total: None)
        assert search.refused() == [
            "unit: banks = 8: must divide slots = 12 (unit.slots = 12, unit.scan_lanes = 4, unit.banks = 8)"
        ]
        assert {row["unit.slots"] for row in search.results()[0]} == {8}


def test_another_file_or_seed_needs_another_folder(tmp_path):
    path = write_sweep(tmp_path, SPACE)
    searched(path, tmp_path / "out", 2)
    with pytest.raises(UserError, match="holds a search of another file, seed, recording or version"):
        searched(path, tmp_path / "out", 2, seed=2)
    with pytest.raises(UserError, match="holds a search of another file, seed, recording or version"):
        searched(write_sweep(tmp_path, ""), tmp_path / "out", 2)


def test_what_cannot_be_searched_is_refused(tmp_path):
    spec, _, _ = points_in(write_sweep(tmp_path, policy='["st_moe", "oracle"]'))
    with pytest.raises(UserError, match="policy oracle: no unit has it"):
        require_units(spec)
    path = write_sweep(tmp_path, policy='"none"')
    path.write_text(path.read_text().replace("slots = [6, 8]", "slots = 6"))
    with pytest.raises(UserError, match="nothing to search"):
        require_units(points_in(path)[0])


def test_points_are_measured_by_the_model(tmp_path, monkeypatch):
    monkeypatch.setattr(MEASURE, measured)
    path = write_sweep(tmp_path)
    spec, traces, points = points_in(path)
    with PointStore.opened(tmp_path / "sweep") as store:
        run_missing(points, traces, store, local_backend(1))
        expected = {row["point"]: [row[name] for name in OBJECTIVES] for row in store.rows(p.digest for p in points)}
    with PointStore.opened(tmp_path / "out") as store:
        search = Search(spec, traces, store, tmp_path / "out", 0)
        search.run(3, 1, local_backend(1), lambda done, total: None)
        rows, front = search.results()
        assert rows and all([row[name] for name in OBJECTIVES] == expected[row["point"]] for row in rows)
        table = front_table(rows, front, {"command": "explore"})
        assert sum(table.column("on_front").to_pylist()) == len(front)
        text = write_front(rows, front, {"command": "explore"}, spec, tmp_path).read_text()
        assert rows[front[0]]["point"] in text and "tpot_mean x scale / clock" in text
        assert shown_front(rows, front, spec).row_count == len(front)

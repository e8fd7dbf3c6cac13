"""Is each size replayed once, whatever was cut off, and are points of another replay left alone?"""

from moefetch.sim.cache_sizes import SHOWN_POLICIES, read_points, size_points, sizes, write_points
from moefetch.sim.measured_run import Measure

from .model_in_python import measured
from .replay_fixtures import toy_trace
from .test_jobs import plan_of


def test_sizes_hold_an_event_and_never_more_than_all_experts(tmp_path):
    assert sizes(plan_of(tmp_path)) == [2, 3, 4, 6, 9, 12, 18, 24]  # a token cycle is 6, all experts are 24


def test_more_slots_hit_more_and_a_run_that_was_cut_off_goes_on(tmp_path):
    plan = plan_of(tmp_path, toy_trace(tokens=10, sequences=2))
    measure, runs = Measure.of(plan.events, plan.workload, 2), []

    def replay(job, measure):
        runs.append((job.settings["n_slots"], job.policy))
        return measured(job, measure)

    key, path = {"content_sha256": "a"}, tmp_path / "cache-sizes.json"
    points, total = [], 8 * len(SHOWN_POLICIES)
    for done, of, point in size_points(plan, measure, replay):
        points.append(point)
        write_points(path, [(key, points)])
        assert (done, of) == (len(points), total)
        if done == 12:
            break
    known = read_points(path, key)
    assert known == points
    rest = [point for _, _, point in size_points(plan, measure, replay, known)]
    assert len(runs) == len(set(runs)) == total == len(points) + len(rest)
    belady = {point.slots: point for point in [*points, *rest] if point.policy == "belady"}
    rates = [belady[slots].hit_rate for slots in sorted(belady)]
    assert rates == sorted(rates)
    assert belady[24].tpot_mean < belady[2].tpot_mean


def test_points_of_another_replay_or_of_a_damaged_file_are_none(tmp_path):
    path = tmp_path / "cache-sizes.json"
    assert read_points(path, {"batch": 1}) == []
    write_points(path, [({"batch": 2}, [])])
    assert read_points(path, {"batch": 1}) == []
    path.write_text("{")
    assert read_points(path, {"batch": 1}) == []

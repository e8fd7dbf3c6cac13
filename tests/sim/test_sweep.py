"""Is every point run once, whatever stops a sweep?"""

import os
import signal
import time
from multiprocessing import get_context

import pytest
from moefetch.sim.point_store import PARTS, PointStore
from moefetch.sim.sweep import local_backend, run_missing
from moefetch.traces.errors import UserError

from .model_in_python import measured
from .sweep_fixtures import MEASURE, logged_measure, points_in, write_sweep
from .test_job_pool import assert_ends

WAIT_SECONDS = 60
MANY = "[unit]\nqueue_depth = [4, 8, 16]"


def swept(path, out, jobs=2, show=lambda done, total: None):
    """Return the rows of a sweep file's points without their wall times, and how many were run."""
    _, traces, points = points_in(path)
    with PointStore.opened(out) as store:
        ran = run_missing(points, traces, store, local_backend(jobs), show)
        rows = store.rows(point.digest for point in points)
    return [{name: value for name, value in row.items() if name != "wall_seconds"} for row in rows], ran


def test_rows_are_those_of_the_replays_and_a_second_run_does_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(MEASURE, logged_measure(tmp_path / "log"))
    path = write_sweep(tmp_path, MANY)
    shown = []
    rows, ran = swept(path, tmp_path / "out", show=lambda *amounts: shown.append(amounts))
    assert ran == len(rows) == 12
    assert shown == [(done, 12) for done in range(13)]
    _, _, points = points_in(path)
    for row, point in zip(rows, points, strict=True):
        assert (row["point"], row["policy"], row["slots"]) == (point.digest, point.policy, point.slots)
        assert row["tpot_mean"] == row["counter.cycles"] / row["steps"]
        assert (row["steps"], row["warm_up"]) == (11, 1)
    calls = (tmp_path / "log").read_text()
    assert calls.count("\n") == 13  # and the one that compiles
    assert swept(path, tmp_path / "out") == (rows, 0)
    assert (tmp_path / "log").read_text() == calls


def test_a_longer_list_runs_what_is_new(tmp_path, monkeypatch):
    monkeypatch.setattr(MEASURE, measured)
    first, _ = swept(write_sweep(tmp_path, "[unit]\nqueue_depth = [4]"), tmp_path / "out")
    rows, ran = swept(write_sweep(tmp_path, MANY), tmp_path / "out")
    assert (len(first), len(rows), ran) == (4, 12, 8)
    assert [row for row in rows if row["unit.queue_depth"] == 4] == first


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_sweep_goes_on_without_losing_or_doubling_a_result(tmp_path, monkeypatch, number):
    path, out, log = write_sweep(tmp_path, MANY), tmp_path / "out", tmp_path / "log"

    def sleepy():
        with (tmp_path / "pids").open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(1)  # so long that the kill comes in time on a busy machine, too

    def child():
        os.setpgrp()
        try:
            swept(path, out)
        except KeyboardInterrupt:
            os._exit(130)

    monkeypatch.setattr(MEASURE, logged_measure(log, sleepy))
    process = get_context("fork").Process(target=child)
    process.start()
    deadline = time.monotonic() + WAIT_SECONDS
    while len(list((out / PARTS).glob("*.parquet"))) < 3:
        assert time.monotonic() < deadline and process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid, number)
    process.join(WAIT_SECONDS)
    assert process.exitcode == (130 if number != signal.SIGKILL else -signal.SIGKILL)
    for pid in {int(line) for line in (tmp_path / "pids").read_text().split()} - {process.pid}:
        assert_ends(pid)
    kept = len(list((out / PARTS).glob("*.parquet")))
    assert 3 <= kept < 12
    log.unlink()
    monkeypatch.setattr(MEASURE, logged_measure(log))
    rows, ran = swept(path, out)
    assert ran == 12 - kept == log.read_text().count("\n") - 1
    assert rows == swept(path, tmp_path / "whole")[0]


def test_a_warm_up_that_leaves_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(MEASURE, measured)
    with pytest.raises(UserError, match="warm-up 12: must be below the 12 decode steps"):
        swept(write_sweep(tmp_path, "warm_up = 12"), tmp_path / "out")

"""Does a sweep on a Dask cluster come to its end, each result once, when a worker is killed midway?"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from moefetch.sim import dask_backend as backend_file
from moefetch.sim.dask_backend import dask_backend, require_dask
from moefetch.sim.point_store import PointStore
from moefetch.sim.sweep import run_missing
from moefetch.traces.errors import UserError

from .sweep_fixtures import points_in, write_sweep

WAIT_SECONDS = 240
"""For the whole sweep: bounded, however long a busy machine takes."""
needs_dask = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in backend_file.PACKAGES),
    reason="dask is not installed: pip install 'moefetch[cluster]'",
)
WORKER = """
import os, sys, time
from pathlib import Path
from distributed.cli.dask_worker import main
from moefetch.sim import design_point

real = design_point.measure_on_model

def slow(job, measure):
    with (Path(sys.argv[1]) / str(os.getpid())).open("a") as file:
        file.write(job.policy + "\\n")
    time.sleep(0.5)
    return real(job, measure)

design_point.measure_on_model = slow
sys.exit(main([sys.argv[2], "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", sys.argv[1]]))
"""


@pytest.fixture
def cluster(tmp_path):
    """Start a scheduler and two workers of one thread, each a process; give address, workers and their log folder."""
    logs = tmp_path / "workers"
    logs.mkdir()
    file = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = [
        sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
        "--scheduler-file", str(file),
    ]  # fmt: skip
    processes = [subprocess.Popen(scheduler, **quiet)]
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not file.exists():
            assert time.monotonic() < deadline and processes[0].poll() is None
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        for _ in range(2):
            processes.append(subprocess.Popen([sys.executable, "-c", WORKER, str(logs), address], **quiet))
        from distributed import Client

        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=WAIT_SECONDS)
        yield address, processes[1:], logs
    finally:
        for process in processes:
            process.kill()
            process.wait()


@needs_dask
def test_a_killed_worker_loses_and_doubles_nothing(tmp_path, cluster):
    address, workers, logs = cluster
    _, traces, points = points_in(write_sweep(tmp_path, "[unit]\nqueue_depth = [2, 4, 8]"))
    began = time.monotonic()
    killed = []

    def show(done, total):
        if done >= 3 and not killed:
            busy = next(worker for worker in workers if (logs / str(worker.pid)).exists())
            os.kill(busy.pid, signal.SIGKILL)
            killed.append(busy.pid)

    with PointStore.opened(tmp_path / "out") as store:
        assert run_missing(points, traces, store, dask_backend(address), show) == len(points) == 12
        rows = store.rows(point.digest for point in points)
    assert time.monotonic() - began < WAIT_SECONDS
    assert killed and [row["point"] for row in rows] == [point.digest for point in points]
    assert all(row["policy"] == point.policy for row, point in zip(rows, points, strict=True))
    assert len(list(logs.glob("[0-9]*"))) == 2  # both had worked
    with PointStore.opened(tmp_path / "out") as store:
        assert run_missing(points, traces, store, dask_backend(address)) == 0


@needs_dask
def test_a_scheduler_that_does_not_answer_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(backend_file, "CONNECT_SECONDS", 1)
    _, traces, points = points_in(write_sweep(tmp_path))
    with (
        PointStore.opened(tmp_path / "out") as store,
        pytest.raises(UserError, match="no Dask scheduler answers there"),
    ):
        run_missing(points, traces, store, dask_backend("tcp://127.0.0.1:9"))


@needs_dask
def test_a_cluster_without_workers_is_one_line(tmp_path, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr(backend_file, "WORKERS_SECONDS", 1)
    _, traces, points = points_in(write_sweep(tmp_path))
    with LocalCluster(n_workers=0, dashboard_address=None) as cluster, PointStore.opened(tmp_path / "out") as store:
        with pytest.raises(UserError, match="has no worker after 1 s"):
            run_missing(points, traces, store, dask_backend(cluster.scheduler_address))


@needs_dask
def test_rows_of_another_version_are_refused():
    with pytest.raises(UserError, match="a worker has moefetch 0"):
        backend_file._checked({"tool": "0"}, "tcp://x")
    with pytest.raises(UserError, match="gave up a point"):
        backend_file._checked(None, "tcp://x")


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(backend_file.importlib.util, "find_spec", lambda name: None if name == "dask" else object())
    with pytest.raises(UserError, match=r"--backend dask: dask not installed: pip install 'moefetch\[cluster\]'"):
        require_dask()

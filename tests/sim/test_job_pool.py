"""Do jobs run in order and at once, and does nothing outlive an error or an interrupt?"""

import os
import signal
import subprocess
import sys
import time

import pytest
from moefetch.sim.job_pool import WorkerFailed, run_jobs
from moefetch.sim.policies import POLICIES, PolicyOptions
from moefetch.traces.errors import UserError

from .replay_fixtures import fake_result
from .test_jobs import plan_of

WAIT_SECONDS = 20


def jobs_of(tmp_path):
    plan = plan_of(tmp_path, tokens=4)
    return [plan.job(policy, PolicyOptions()) for policy in POLICIES.values()]


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"


def assert_ends(pid):
    deadline = time.monotonic() + WAIT_SECONDS
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} outlived its parent's call"
        time.sleep(0.02)


def read_pid(path):
    deadline = time.monotonic() + WAIT_SECONDS
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int(path.read_text())


def sleeper(path):
    """Start what a simulator would be, and wait for it for ever."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    path.with_suffix(".tmp").write_text(str(child.pid))
    path.with_suffix(".tmp").rename(path)
    child.wait()


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_results_come_in_the_order_of_jobs_and_progress_reaches_the_end(tmp_path, workers):
    shown = []

    def engine(job, progress):
        for done in range(len(job.events)):
            progress(done, len(job.events))
        return fake_result(job, f"process {os.getpid()}")

    jobs = jobs_of(tmp_path)
    results = run_jobs(engine, jobs, workers=workers, progress=lambda *amounts: shown.append(amounts))
    assert [result.job.policy for result in results] == list(POLICIES)
    assert len({result.engine for result in results} | {f"process {os.getpid()}"}) == 5
    assert [result.counters for result in results] == [fake_result(job).counters for job in jobs]
    total = sum(len(job.events) for job in jobs)
    assert shown[-1] == (total, total)
    assert shown == sorted(shown)


def test_no_more_than_the_workers_run_at_once(tmp_path):
    def engine(job, progress):
        (tmp_path / f"{job.policy}.run").touch()
        running = len(list(tmp_path.glob("*.run")))
        time.sleep(0.1)
        (tmp_path / f"{job.policy}.run").unlink()
        assert running <= 2
        return fake_result(job)

    run_jobs(engine, jobs_of(tmp_path), workers=2, progress=lambda *_: None)


def test_an_engines_error_comes_back_and_ends_the_others(tmp_path):
    pid_file = tmp_path / "pid"

    def engine(job, progress):
        if job.policy == "none":
            sleeper(pid_file)
        read_pid(pid_file)
        raise UserError("the simulator is missing")

    with pytest.raises(UserError, match="the simulator is missing"):
        run_jobs(engine, jobs_of(tmp_path), workers=2, progress=lambda *_: None)
    assert_ends(read_pid(pid_file))


def test_a_child_that_dies_is_told(tmp_path):
    def engine(job, progress):
        os._exit(7)

    with pytest.raises(WorkerFailed, match="ended with status 7"):
        run_jobs(engine, jobs_of(tmp_path), workers=1, progress=lambda *_: None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_children_and_what_they_started(tmp_path, number):
    pid_file = tmp_path / "pid"

    def engine(job, progress):
        if job.policy == "none":
            sleeper(pid_file)
        read_pid(pid_file)
        progress(1, 1)
        time.sleep(600)

    def interrupt(*_):
        os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        run_jobs(engine, jobs_of(tmp_path), workers=2, progress=interrupt)
    assert_ends(read_pid(pid_file))

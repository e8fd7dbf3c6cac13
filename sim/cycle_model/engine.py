"""The cycle model as an engine: a job in, what the RTL would report out."""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ...hw.counter_names import COUNTERS, with_aliases
from ..golden.laws import check_laws
from ..golden.statistics import NAMES, Statistics
from ..replay_result import MODEL_ENGINE, ReplayJob, ReplayResult
from . import fields as f
from .machine import Machine, build_machine
from .records import SOURCES
from .simulate import simulate
from .tables import Ints

CHUNK = 65536
"""Events between two calls of `progress`."""


def run_model(job: ReplayJob, *, progress: Callable[[int, int], None] | None = None) -> ReplayResult:
    """Replay a job on the cycle model.

    Cycles, step cycles, counters and statistics are the RTL's, exactly; words are not read back and there is no log.
    `progress` is called with events ended and events in all. Raises UserError for a job that the model does not cover.
    """
    started = time.perf_counter()
    machine = build_machine(job, logging=False)
    run_machine(job, machine, progress)
    return result_of(job, machine, time.perf_counter() - started)


def run_machine(job: ReplayJob, machine: Machine, progress: Callable[[int, int], None] | None = None) -> Machine:
    """Run a machine to its end."""
    total, done = len(job.events), 0
    going = True
    while going:
        done = min(total, done + CHUNK)
        going = simulate(*machine, done)
        if progress is not None:
            progress(int(machine.mem[f.R_EVENT]), total)
        if machine.mem[f.R_EVENT] < done:
            raise RuntimeError(f"{job.name}: the cycle model stops at event {machine.mem[f.R_EVENT]}")
    return machine


def result_of(job: ReplayJob, machine: Machine, seconds: float) -> ReplayResult:
    """Return the result of a machine that has come to its end."""
    mem = machine.mem
    counters = counters_of(machine)
    check_laws(with_aliases(counters))
    ends = [0, *machine.store.step_end[: mem[f.R_STEP] - 1].tolist(), int(mem[f.R_TOTAL])]
    return ReplayResult(
        engine=MODEL_ENGINE,
        job=job,
        counters=with_aliases(counters),
        cycles=int(mem[f.R_TOTAL]),
        step_cycles=[end - begin for begin, end in pairwise(ends)],
        events=int(mem[f.R_EVENT]),
        records=int(mem[f.R_RECORDS]),
        mismatches=0,
        words_checked=0,
        wrong_words=0,
        statistics=_statistics(machine),
        wall_seconds=seconds,
    )


def counters_of(machine: Machine) -> dict[str, int]:
    """Return all counters by name."""
    mem = machine.mem
    found = {name: int(mem[f.COUNTERS[place]]) for place, name in enumerate(COUNTERS)}
    found["cycles"] = int(mem[f.R_TOTAL])
    found["bursts"] = int(mem[f.R_BURSTS])
    open_event = ("compute", "stall_slot", "stall_queue", "stall_link", "stall_grant", "stall_bank")
    found["outside"] = found["cycles"] - sum(found[name] for name in open_event)
    found["queued_open"] = int(mem[f.R_QUEUE])
    found["open"] = int(machine.mem[f.SLOT : f.SLOT + machine.mem[f.C_SLOTS], f.S_UNUSED].sum())
    return found


def _statistics(machine: Machine) -> dict[str, Any]:
    """Return counters by layer and source, as the golden model reports them."""
    rows = 2 * (SOURCES + machine.mem[f.C_LAYERS])
    table = machine.mem[f.STATISTIC : f.STATISTIC + rows].reshape(rows // 2, -1)[:, : f.N_NAMES].copy()
    slots = machine.mem[f.SLOT : f.SLOT + machine.mem[f.C_SLOTS]]
    for slot in slots[slots[:, f.S_UNUSED] != 0]:
        table[SOURCES + slot[f.S_LAYER], f.N_OPEN] += 1
        table[slot[f.S_SOURCE], f.N_OPEN] += 1
    counted = [dict(zip(NAMES, row, strict=True)) for row in table.tolist()]
    found = Statistics.of(counted[SOURCES:], counted[:SOURCES])
    slacks = np.sort(machine.store.slack[: machine.mem[f.R_SLACKS]])
    return found.report() | {"slack_cycles": _distribution(slacks)}


def _distribution(ordered: Ints) -> dict[str, float | int | None]:
    """Return what the golden statistics say about a list of cycles."""
    count = len(ordered)
    if not count:
        return {"count": 0, "mean": None, "min": None, "p50": None, "max": None}
    return {
        "count": count,
        "mean": int(ordered.sum()) / count,
        "min": int(ordered[0]),
        "p50": int(ordered[(count - 1) // 2]),
        "max": int(ordered[-1]),
    }

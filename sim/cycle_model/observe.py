"""A part of a replay under observation: what was committed and granted, and the bursts as they lay on the link."""

from typing import NamedTuple

import numpy as np

from ..replay_result import ReplayJob
from . import fields as f
from .tables import Ints

LOGGED_BESIDES = 4096
"""Rows of the log for what the last event's cycles add."""


class Observation(NamedTuple):
    """What a machine did from its first cycle on, until `events` events had ended.

    `log` has a row for each commit and grant (columns O_CYCLE and on), `trains` one for each burst train whose beats
    are all in the SRAM (columns T_ENTRY and on), in the order of their requests. `background` is period and length of
    background traffic, 0 and 0 for none.
    """

    log: Ints
    trains: Ints
    events: int
    expert_beats: int
    cycles_per_beat: int
    background: tuple[int, int]


def observe(job: ReplayJob, events: int) -> Observation:
    """Run the cycle model until `events` events have ended, all of them at most, and keep what it did."""
    # As in `measure_on_model`: numba takes a second to import.
    from .machine import build_machine
    from .simulate import simulate

    counting, machine = (build_machine(job, logging=False) for _ in range(2))
    last = min(events, len(machine.trace.layer))
    simulate(*counting, last)
    grants = int(machine.trace.first_beat[last])
    rows = int(counting.mem[f.R_RECORDS]) + grants + LOGGED_BESIDES
    machine = machine._replace(store=machine.store._replace(log=np.zeros((rows, f.N_COLUMNS), np.int64)))
    mem = machine.mem
    mem[f.C_LOGGING] = 1
    kept: list[Ints] = []
    for event in range(1, last + 1):
        simulate(*machine, event)
        kept.append(_finished(mem, kept))
    return Observation(
        log=machine.store.log[: mem[f.R_LOGGED], : f.N_LOG].copy(),
        trains=np.concatenate(kept),
        events=last,
        expert_beats=int(mem[f.C_EXPERT_BEATS]),
        cycles_per_beat=int(mem[f.C_CYCLES_PER_BEAT]),
        background=(int(mem[f.C_BACKGROUND_PERIOD]), int(mem[f.C_BACKGROUND_LENGTH])),
    )


def _finished(mem: Ints, kept: list[Ints]) -> Ints:
    """Return the trains that have finished since the last call, by the numbers of their bursts."""
    rows = mem[f.TRAIN : f.TRAIN + mem[f.R_TRAIN_FIRST]]
    before = next((part[-1] for part in reversed(kept) if len(part)), None)
    first = 0 if before is None else before[f.T_INDEX] + before[f.T_COUNT]
    return rows[rows[:, f.T_INDEX] >= first].copy()

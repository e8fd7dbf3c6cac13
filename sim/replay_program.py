"""What a replay's bench does, whatever drives it: inputs, register writes, patience, and the answer it brings back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..hw.register_access import Write, field_table, settings_writes, table_writes, top_k_writes, weight_writes
from .lockstep import Lockstep
from .profile import Profile
from .replay_result import ReplayJob
from .weight_profile import WeightProfile

DRAIN_PATIENCE = 128
"""Waits between commits that draining a full queue may take."""

RESULTS = ("cycles", "words", "wrong_words", "granted", "errors")
"""The bench's outputs that are part of its answer."""


@dataclass
class BenchAnswer:
    """What the bench found; `mismatch` is empty if RTL and golden model agree."""

    counters: dict[str, int] = field(default_factory=dict)
    cycles: int = 0
    step_ends: list[int] = field(default_factory=list)
    events: int = 0
    records: int = 0
    mismatch: str = ""
    words: int = 0
    wrong_words: int = 0
    granted: int = 0
    errors: int = 0
    statistics: dict[str, Any] = field(default_factory=dict)

    def with_checks(self, lockstep: Lockstep) -> BenchAnswer:
        """Return this answer with what the golden model has seen."""
        self.step_ends = lockstep.step_ends
        self.events = lockstep.events
        self.records = lockstep.records
        self.statistics = lockstep.model.report()
        return self


def workload_inputs(job: ReplayJob) -> dict[str, int]:
    """Return the bench's inputs that describe model, memory and processing elements, by port."""
    workload, settings = job.workload, job.settings
    return {
        "n_events": len(job.events), "attention_cycles": workload.attention_cycles,
        "step_cycles": workload.step_cycles, "expert_cycles": workload.expert_cycles,
        "expert_beats": settings["expert_beats"], "base": settings["base"], "layer_stride": settings["layer_stride"],
        "expert_stride": settings["expert_stride"], "latency": workload.latency_cycles,
        "cycles_per_beat": workload.cycles_per_beat, "background_period": workload.background_period,
        "background_length": workload.background_length,
    }  # fmt: skip


def programming(job: ReplayJob) -> Iterator[Write]:
    """Yield the register writes that a job needs before its start, the counters' clear last.

    Tables in memory are accessed only once the settings say where they are.
    """
    yield from top_k_writes(job.unit, job.top_k)
    if job.unit.pages_tables:
        yield from settings_writes(job.unit, job.settings)
    if job.weight_profile is not None:
        yield from weight_writes(job.unit, weight_rows(job.weight_profile))
    if job.predictor is not None and job.profile is not None:
        yield from table_writes(job.unit, job.unit.predictors.index(job.predictor), table_rows(job.profile))
    if not job.unit.pages_tables:
        yield from settings_writes(job.unit, job.settings)
    clear = field_table(job.unit)["clear"]
    yield clear.offset, 1 << clear.lsb


def table_rows(profile: Profile) -> Iterable[tuple[int, int, list[tuple[int, int]]]]:
    """Yield layer, row and entries of the profile; every entry starts at confidence 2."""
    for layer, rows in enumerate(profile.rows.tolist()):
        for row, experts in enumerate(rows):
            yield layer, row, [(expert, 2) for expert in experts]


def weight_rows(profile: WeightProfile) -> Iterable[tuple[int, int, int, bytes]]:
    """Yield layer, source, row and weights of the rows that hold any: the others are zeros after reset."""
    for layer, source, row in np.argwhere(profile.tables.any(axis=3)).tolist():
        yield layer, source, row, profile.tables[layer, source, row].tobytes()


def commit_patience(job: ReplayJob, poll_cycles: int) -> int:
    """Return more cycles than may lie between two commits of a unit that works, seen every `poll_cycles`."""
    workload = job.workload
    phases = (
        workload.attention_cycles + workload.step_cycles + workload.expert_cycles + job.settings.get("hold_cycles", 0)
    )
    return 10 * poll_cycles + 4 * (phases + workload.transfer_cycles + workload.latency_cycles)


def drain_cycles(job: ReplayJob, poll_cycles: int) -> int:
    """Return more cycles than the prefetches for the step that never comes may take."""
    return DRAIN_PATIENCE * commit_patience(job, poll_cycles)


def counters_of_replay(counters: dict[str, int], cycles: int) -> dict[str, int]:
    """Return the counters without the cycles that the unit counted around the replay, all of them `outside`."""
    around = counters["cycles"] - cycles
    return counters | {"cycles": cycles, "outside": counters["outside"] - around}

"""A trace small enough to follow by hand, on a machine small enough to compute by hand."""

from pathlib import Path

import numpy as np
from moefetch.hw.config import UNIT_PRESETS
from moefetch.sim.jobs import ReplayPlan
from moefetch.sim.workload import Workload
from moefetch.traces.format import Trace, TraceMeta

SELECTED = ((0, 0), (1, 1), (2, 0), (0, 1), (1, 0), (2, 1), (0, 0), (3, 0))
"""One expert a layer: eight tokens of two layers, experts A to D written 0 to 3. Layer 0 goes 0 1 2 0 1 2 0 3."""


def conformance_plan(*, slots: int = 4, attention: int = 2000, sequences: tuple[int, ...] = (8,)) -> ReplayPlan:
    """Return the trace on the tiny unit: one beat a cycle, 16 beats an expert, slots as asked for."""
    count = len(SELECTED)
    trace = Trace(
        TraceMeta("conformance", (0, 1), 4, 1),
        sequence=np.repeat(np.arange(len(sequences), dtype=np.int32), sequences),
        position=np.concatenate([np.arange(length, dtype=np.int32) for length in sequences]),
        phase=np.ones(count, np.uint8),
        token=np.full(count, -1, np.int32),
        experts=np.array(SELECTED, np.uint16)[:, :, None],
    )
    workload = Workload(
        model="conformance", platform="hand", scale=1, clock_hz=1_000_000, n_layers=2, n_experts=4, top_k=1,
        slots=slots, n_pe=2, bus_bytes=4, expert_bytes=64, attention_cycles=attention, step_cycles=0, expert_cycles=20,
        latency_cycles=5, cycles_per_beat=1, outstanding=2, max_burst_beats=16, background_period=0,
        background_length=0,
    )  # fmt: skip
    return ReplayPlan(Path("conformance.parquet"), trace, workload, UNIT_PRESETS["tiny"], None)

"""Small traces, and an engine that needs no simulator: an exact cache without time, and cycles that add up."""

from pathlib import Path

import numpy as np
from moefetch.hw.counter_names import COUNTERS, with_aliases
from moefetch.sim.replay_result import ReplayJob, ReplayResult
from moefetch.traces.format import Trace, TraceMeta
from moefetch.traces.writer import write_trace

MODEL = """
name = "toy"
n_layers = 3
n_experts = 8
top_k = 2
expert_bytes = 2048
expert_flops = 1024
attention_bytes = 8192
attention_flops = 1024
step_bytes = 4096
step_flops = 512
"""
PLATFORM = """
name = "bench"
clock_hz = 1_000_000_000
bus_bytes = 4
slots = 8
n_pe = 2
[link]
cycles_per_beat = 1
latency_ns = 20.0
outstanding = 2
max_burst_beats = 16
[compute]
attention_bytes_per_second = 16_000_000_000
attention_flops_per_second = 1_000_000_000_000
expert_flops_per_second = 1_000_000_000_000
"""


def write_specs(folder: Path) -> tuple[Path, Path]:
    """Write a model of 3 layers, 8 experts, top-2, and a platform of 4-byte beats and 8 slots."""
    model, platform = folder / "toy.toml", folder / "bench.toml"
    model.write_text(MODEL)
    platform.write_text(PLATFORM)
    return model, platform


def toy_trace(*, tokens=40, sequences=4, hints=True, layers=3, experts=8, top_k=2, change=None) -> Trace:
    """Return random routing; the hints are right."""
    rng = np.random.default_rng(3)
    chosen = np.argsort(rng.random((tokens, layers, experts)), axis=2)[:, :, :top_k].astype(np.uint16)
    if change:
        change(chosen)
    hinted = chosen.copy()
    hinted[:, 0] = 0xFFFF
    meta = TraceMeta(
        "toy", tuple(range(layers)), experts, top_k, n_hints=top_k * hints, hint_horizon=int(hints), licence="CC0"
    )
    length = tokens // sequences
    return Trace(
        meta,
        sequence=np.repeat(np.arange(sequences, dtype=np.int32), length),
        position=np.tile(np.arange(length, dtype=np.int32), sequences),
        phase=np.ones(tokens, np.uint8),
        token=np.full(tokens, -1, np.int32),
        experts=chosen,
        hints=hinted if hints else None,
    )


def write_toy_trace(path: Path, **changes) -> Path:
    """Write `toy_trace` to a file."""
    write_trace(path, toy_trace(**changes))
    return path


def fake_result(job: ReplayJob, engine: str = "rtl, fake") -> ReplayResult:
    """Return what a unit with an LRU cache would count if half of its misses were prefetched in time."""
    counters = dict.fromkeys(COUNTERS, 0)
    recent: list[tuple[int, int]] = []
    steps: list[int] = []
    for event in job.events:
        cycles = 100
        for expert in dict.fromkeys(beat.expert for beat in event.beats):
            cycles += _access(job, counters, recent, (event.layer, expert))
        if event.step_first:
            steps.append(0)
        steps[-1] += cycles
    for name in ("demand_beats", "prefetch_beats"):
        counters[name] *= job.settings["expert_beats"]
    counters["generated"] = counters["issued"]
    counters["compute"] = counters["cycles"] = sum(steps)
    words = counters["demand"] * job.settings["expert_beats"]
    return ReplayResult(
        engine, job, with_aliases(counters), sum(steps), steps, len(job.events), 7 * len(job.events), 0, words, 0,
        statistics={"layers": [], "sources": {}}, wall_seconds=0.5,
    )  # fmt: skip


def _access(job, counters, recent, key):
    """Count one access, and return its cycles."""
    counters["demand"] += 1
    hit = key in recent
    if hit:
        recent.remove(key)
    recent.insert(0, key)
    del recent[job.settings["n_slots"] :]
    prefetched = not hit and job.policy != "none" and counters["demand"] % 2
    kinds = ["hit", "hit_reuse"] if hit else ["miss", "demand_issued", "demand_beats"]
    if prefetched:
        kinds = ["hit", "hit_prefetch", "on_target", "issued", "prefetch_beats"]
    for name in kinds:
        counters[name] += 1
    return 0 if hit or prefetched else job.workload.transfer_cycles


def fake_run_rtl(job, *, simulator, build_root, work_dir, verilog, progress=None):
    """Stand in for `run_rtl`: also shows progress and checks that its files are there."""
    assert verilog.read_text() == job.unit.digest
    work_dir.mkdir()
    for done in range(len(job.events)):
        progress(done + 1, len(job.events))
    return fake_result(job, f"rtl, {simulator}")

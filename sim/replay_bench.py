"""The cocotb bench of a replay: programs the unit, starts it, follows its log, reads its counters.

It runs inside the simulator's process and wakes once every POLL_CYCLES; memory, router and processing elements are
HDL. Files: a pickled `BenchTask` in, a pickled `BenchAnswer` out, and a progress file with the events closed.
"""

import gc
import os
import pickle
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, First, RisingEdge, Timer
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from ..hw.counter_names import COUNTERS
from ..hw.register_access import counter_offset, field_table, settings_writes, table_writes, top_k_writes
from .golden.laws import LawBroken
from .golden.mismatch import Mismatch
from .lockstep import Lockstep
from .profile import Profile
from .replay_result import ReplayJob

PERIOD_STEPS = 2
"""Clock period in the simulator's own steps, so that no timescale matters."""
POLL_CYCLES = 20_000
SETTLE_CYCLES = 8
IDLE_POLL_CYCLES = 200
DRAIN_PATIENCE = 128
"""Waits between commits that draining a full queue may take."""
TASK_VARIABLE = "MOEFETCH_REPLAY_TASK"
"""Environment variable that names the task's file."""


@dataclass
class BenchTask:
    """What the bench needs."""

    job: ReplayJob
    log: Path
    answer: Path
    progress: Path


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


class _Registers:
    """AXI4-Lite access by a third party's master; an error response fails the run."""

    def __init__(self, dut: Any, job: ReplayJob):
        bus = AxiLiteBus.from_prefix(dut, "s_axil")
        self._fields = field_table(job.unit)
        self._master = AxiLiteMaster(bus, dut.clk, dut.rst)
        self._master.write_if.log.setLevel("WARNING")
        self._master.read_if.log.setLevel("WARNING")

    async def write(self, writes: Iterable[tuple[int, int]]) -> None:
        for offset, word in writes:
            answer = await self._master.write(offset, word.to_bytes(4, "little"))
            if answer.resp != AxiResp.OKAY:
                raise RuntimeError(f"register write 0x{offset:03X} = 0x{word:08X} answered {answer.resp.name}")

    async def pulse(self, field: str) -> None:
        place = self._fields[field]
        await self.write([(place.offset, 1 << place.lsb)])

    async def is_set(self, field: str) -> bool:
        place = self._fields[field]
        answer = await self._master.read(place.offset, 4)
        return bool(int.from_bytes(answer.data, "little") >> place.lsb & 1)

    async def read64(self, offset: int) -> int:
        answer = await self._master.read(offset, 8)
        return int.from_bytes(answer.data, "little")


@cocotb.test()
async def replay(dut: Any) -> None:
    """Run the task and write its answer; a mismatch is an answer too."""
    task: BenchTask = pickle.loads(Path(os.environ[TASK_VARIABLE]).read_bytes())
    gc.freeze()  # the job is large, lives as long as the process, and would be walked by every full collection
    cocotb.start_soon(Clock(dut.clk, PERIOD_STEPS, "step").start())
    _set_workload(dut, task.job)
    dut.rst.value = 1
    await ClockCycles(dut.clk, 4)
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    registers = _Registers(dut, job := task.job)
    await _program(registers, job)
    await FallingEdge(dut.clk)
    dut.start.value = 1
    answer = await _follow(dut, task, registers, Lockstep(job))
    task.answer.write_bytes(pickle.dumps(answer))
    await RisingEdge(dut.clk)


def _set_workload(dut: Any, job: ReplayJob) -> None:
    workload, settings = job.workload, job.settings
    values = {
        "start": 0, "flush": 0, "n_events": len(job.events), "attention_cycles": workload.attention_cycles,
        "step_cycles": workload.step_cycles, "expert_cycles": workload.expert_cycles,
        "expert_beats": settings["expert_beats"], "base": settings["base"], "layer_stride": settings["layer_stride"],
        "expert_stride": settings["expert_stride"], "latency": workload.latency_cycles,
        "cycles_per_beat": workload.cycles_per_beat, "background_period": workload.background_period,
        "background_length": workload.background_length,
    }  # fmt: skip
    for name, value in values.items():
        getattr(dut, name).value = value


async def _program(registers: _Registers, job: ReplayJob) -> None:
    await registers.write(top_k_writes(job.unit, job.top_k))
    if job.predictor is not None and job.profile is not None:
        index = job.unit.predictors.index(job.predictor)
        await registers.write(table_writes(job.unit, index, _rows(job.profile)))
    await registers.write(settings_writes(job.unit, job.settings))
    await registers.pulse("clear")


def _rows(profile: Profile) -> Iterable[tuple[int, int, list[tuple[int, int]]]]:
    """Yield layer, row and entries of the profile; every entry starts at confidence 2."""
    for layer, rows in enumerate(profile.rows.tolist()):
        for row, experts in enumerate(rows):
            yield layer, row, [(expert, 2) for expert in experts]


async def _follow(dut: Any, task: BenchTask, registers: _Registers, lockstep: Lockstep) -> BenchAnswer:
    """Check the log until the replay is done and the unit idle, then its counters."""
    answer = BenchAnswer()
    silent, patience = 0, _patience(task.job)
    with task.log.open() as log:
        finished = False
        while not finished and not answer.mismatch:
            await First(RisingEdge(dut.done), Timer(POLL_CYCLES * PERIOD_STEPS, "step"))
            finished = bool(dut.done.value)
            if finished:
                await _wait_until_idle(dut, registers, patience)
                answer.counters = await _read_counters(dut, registers, task.job)
            await _flush(dut)
            text = log.read()
            silent = 0 if text else silent + POLL_CYCLES
            try:
                lockstep.feed(text)
                if silent > patience:
                    raise lockstep.hang(silent)
                if finished:
                    lockstep.finish(answer.counters)
            except (Mismatch, LawBroken) as difference:
                answer.mismatch = str(difference)
            task.progress.write_text(str(lockstep.events))
    _fill_in(answer, dut, lockstep)
    return answer


async def _flush(dut: Any) -> None:
    await FallingEdge(dut.clk)
    dut.flush.value = 1
    await FallingEdge(dut.clk)
    dut.flush.value = 0


def _patience(job: ReplayJob) -> int:
    """Return more cycles than may lie between two commits of a unit that works."""
    workload = job.workload
    phases = (
        workload.attention_cycles + workload.step_cycles + workload.expert_cycles + job.settings.get("hold_cycles", 0)
    )
    return 10 * POLL_CYCLES + 4 * (phases + workload.transfer_cycles + workload.latency_cycles)


async def _wait_until_idle(dut: Any, registers: _Registers, patience: int) -> None:
    """Let the prefetches for the step that never comes end, so that counters and log are of one moment.

    A unit that is never idle is left to the comparison of its counters.
    """
    waited = 0
    while waited < DRAIN_PATIENCE * patience and not await registers.is_set("idle"):
        await ClockCycles(dut.clk, IDLE_POLL_CYCLES)
        waited += IDLE_POLL_CYCLES


async def _read_counters(dut: Any, registers: _Registers, job: ReplayJob) -> dict[str, int]:
    """Return the counters; the cycles that they count around the replay are `outside`, and taken off."""
    await registers.pulse("snapshot")
    counters = {name: await registers.read64(counter_offset(job.unit, name)) for name in COUNTERS}
    around = counters["cycles"] - int(dut.cycles.value)
    counters["cycles"] -= around
    counters["outside"] -= around
    return counters


def _fill_in(answer: BenchAnswer, dut: Any, lockstep: Lockstep) -> None:
    answer.cycles = int(dut.cycles.value)
    answer.step_ends = lockstep.step_ends
    answer.events = lockstep.events
    answer.records = lockstep.records
    answer.words = int(dut.words.value)
    answer.wrong_words = int(dut.wrong_words.value)
    answer.granted = int(dut.granted.value)
    answer.errors = int(dut.errors.value)
    answer.statistics = lockstep.model.report()

"""The cocotb bench of a replay: programs the unit, starts it, follows its log, reads its counters.

It runs inside the simulator's process and wakes once every POLL_CYCLES; memory, router and processing elements are
HDL. Files: a pickled `BenchTask` in, a pickled `BenchAnswer` out, and a progress file with the events closed.
"""

import gc
import os
import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, First, RisingEdge, Timer
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

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

PERIOD_STEPS = 2
"""Clock period in the simulator's own steps, so that no timescale matters."""
POLL_CYCLES = 20_000
SETTLE_CYCLES = 8
IDLE_POLL_CYCLES = 200
TASK_VARIABLE = "MOEFETCH_REPLAY_TASK"
"""Environment variable that names the task's file."""


@dataclass
class BenchTask:
    """What the bench needs."""

    job: ReplayJob
    log: Path
    answer: Path
    progress: Path


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
    await registers.write(programming(job))
    await FallingEdge(dut.clk)
    dut.start.value = 1
    answer = await _follow(dut, task, registers, Lockstep(job))
    task.answer.write_bytes(pickle.dumps(answer))
    await RisingEdge(dut.clk)


def _set_workload(dut: Any, job: ReplayJob) -> None:
    for name, value in ({"start": 0, "flush": 0} | workload_inputs(job)).items():
        getattr(dut, name).value = value


async def _follow(dut: Any, task: BenchTask, registers: _Registers, lockstep: Lockstep) -> BenchAnswer:
    """Check the log until the replay is done and the unit idle, then its counters."""
    answer = BenchAnswer()
    silent, patience = 0, commit_patience(task.job, POLL_CYCLES)
    with task.log.open() as log:
        finished = False
        while not finished and not answer.mismatch:
            await First(RisingEdge(dut.done), Timer(POLL_CYCLES * PERIOD_STEPS, "step"))
            finished = bool(dut.done.value)
            if finished:
                await _wait_until_idle(dut, registers, drain_cycles(task.job, POLL_CYCLES))
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


async def _wait_until_idle(dut: Any, registers: _Registers, patience: int) -> None:
    """Let the prefetches for the step that never comes end, so that counters and log are of one moment.

    A unit that is never idle is left to the comparison of its counters.
    """
    waited = 0
    while waited < patience and not await registers.is_set("idle"):
        await ClockCycles(dut.clk, IDLE_POLL_CYCLES)
        waited += IDLE_POLL_CYCLES


async def _read_counters(dut: Any, registers: _Registers, job: ReplayJob) -> dict[str, int]:
    """Return the counters; the cycles that they count around the replay are `outside`, and taken off."""
    await registers.pulse("snapshot")
    counters = {name: await registers.read64(counter_offset(job.unit, name)) for name in counters_of(job.unit)}
    return counters_of_replay(counters, int(dut.cycles.value))


def _fill_in(answer: BenchAnswer, dut: Any, lockstep: Lockstep) -> None:
    for name in RESULTS:
        setattr(answer, name, int(getattr(dut, name).value))
    answer.with_checks(lockstep)

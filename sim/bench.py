"""How fast replays run: simulated cycles for each second of wall time and of processor time."""

from __future__ import annotations

import os
import platform
import resource
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .replay_result import ReplayResult

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Measurement:
    """One run: simulated cycles, and the seconds that the simulator's process took from start to end.

    `cpu_seconds` counts user time only; a machine that others use lengthens it less than `wall_seconds`.
    """

    cycles: int
    wall_seconds: float
    cpu_seconds: float

    @property
    def wall_rate(self) -> float:
        """Return simulated cycles per second of wall time."""
        return self.cycles / self.wall_seconds

    @property
    def cpu_rate(self) -> float:
        """Return simulated cycles per second of user processor time."""
        return self.cycles / self.cpu_seconds


def measure(replay: Callable[[], ReplayResult], runs: int) -> list[Measurement]:
    """Return a measurement for each of `runs` replays; one before them, which may build, does not count."""
    replay()
    found = []
    for _ in range(runs):
        before = _child_seconds()
        result = replay()
        found.append(Measurement(result.cycles, result.wall_seconds, _child_seconds() - before))
    return found


def bench_document(measured: list[Measurement], *, what: dict[str, str], command: str) -> dict[str, Any]:
    """Return the measurements with their medians, machine, load and command, as JSON takes them."""
    return {
        "what": what,
        "command": command,
        "build": "not counted",
        "machine": machine(),
        "load_average": os.getloadavg()[0],
        "runs": [asdict(run) for run in measured],
        "cycles_per_second": statistics.median(run.wall_rate for run in measured),
        "cycles_per_cpu_second": statistics.median(run.cpu_rate for run in measured),
    }


def machine() -> str:
    """Return processor, its cores and the system."""
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines() if CPU_INFO.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.machine()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def _child_seconds() -> float:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime

"""How fast the cycle model runs: events and simulated cycles for each second of one core."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from .bench import machine
from .replay_result import ReplayResult


@dataclass(frozen=True)
class ModelMeasurement:
    """One run: what it simulated, and the seconds that it took.

    `cpu_seconds` counts this process's user time; a machine that others use lengthens it less than `wall_seconds`.
    """

    events: int
    cycles: int
    wall_seconds: float
    cpu_seconds: float


def measure_model(replay: Callable[[], ReplayResult], runs: int) -> list[ModelMeasurement]:
    """Return a measurement for each of `runs` replays; one before them, which may compile, does not count."""
    replay()
    found = []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), _user_seconds()
        result = replay()
        found.append(ModelMeasurement(result.events, result.cycles, time.perf_counter() - wall, _user_seconds() - cpu))
    return found


def _user_seconds() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def model_document(measured: list[ModelMeasurement], *, what: dict[str, str], command: str) -> dict[str, Any]:
    """Return the measurements with their medians, machine, load and command, as JSON takes them."""

    def median(rate: Callable[[ModelMeasurement], float]) -> float:
        return statistics.median(rate(run) for run in measured)

    return {
        "what": what,
        "command": command,
        "compilation": "not counted",
        "machine": machine(),
        "load_average": os.getloadavg()[0],
        "runs": [asdict(run) for run in measured],
        "events_per_second": median(lambda run: run.events / run.wall_seconds),
        "events_per_cpu_second": median(lambda run: run.events / run.cpu_seconds),
        "cycles_per_cpu_second": median(lambda run: run.cycles / run.cpu_seconds),
    }

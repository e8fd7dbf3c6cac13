"""A design point: one configuration of model, platform, unit and policy on one trace; its run on the cycle model."""

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ..hw.config import UnitConfig
from ..traces.errors import UserError
from ..traces.format import Trace
from .any_policy import options_of, policy_job
from .compare import default_warm_up
from .energy_table import EnergyPrices, EnergyTable, energy_prices, load_energy_table
from .jobs import ReplayPlan
from .measured_run import Measure, MeasuredRun, measure_on_model
from .model_spec import ModelSpec
from .platform_spec import PlatformSpec
from .policies import PolicyOptions
from .replay_run import Run
from .source_digest import tool_version
from .workload import Workload, derive

DIGEST_DIGITS = 16


@dataclass(frozen=True)
class DesignPoint:
    """What is replayed, apart from the trace's rows: everything that the result follows from.

    `content` is the trace's content hash; `tokens` are decode steps, None for all; `warm_up` steps are replayed and
    left out of all figures, None for the default of `moefetch compare`; `options` are those that the policy takes.
    """

    trace: str
    content: str
    model: ModelSpec
    platform: PlatformSpec
    scale: int
    unit: UnitConfig
    policy: str
    options: PolicyOptions
    tokens: int | None = None
    batch: int = 1
    warm_up: int | None = None

    @property
    def workload(self) -> Workload:
        """The integers that the replay runs with."""
        return derive(self.model, self.platform, self.scale)

    @property
    def slots(self) -> int:
        """Slots in use."""
        return min(self.platform.slots, self.unit.slots)

    @property
    def prices(self) -> EnergyPrices | None:
        """The platform's energies and areas by the built-in table, None if it does not say what it is built of."""
        return energy_prices(self.platform, _energy_table())

    @property
    def digest(self) -> str:
        """16 hex digits that name the result: same digest, same figures, whatever the trace's file is called."""
        return _digest(
            self._setting()
            | {
                "unit": self.unit.digest,
                "policy": self.policy,
                "options": asdict(options_of(self.policy, self.options)),
            }
        )

    @property
    def group(self) -> str:
        """16 hex digits of all but the policy: points of one group can be compared with its policy `none`."""
        return _digest(
            self._setting() | {"unit": self.unit.replace(predictors=(), table_window=0, weight_ways=0).digest}
        )

    def _setting(self) -> dict[str, Any]:
        return {
            "tool": tool_version(),
            "content": self.content,
            "workload": self.workload.model_dump(),
            # What figures of the real size follow from, beside the workload.
            "expert_bytes": self.model.expert_bytes,
            "prices": self.prices,
            "tokens": self.tokens,
            "batch": self.batch,
            "warm_up": self.warm_up,
        }


class PointRun(NamedTuple):
    """A point's replay without its warm-up; `seconds` is the wall time of set-up and replay."""

    point: DesignPoint
    plan: ReplayPlan
    run: Run
    warm_up: int
    seconds: float


def run_point(point: DesignPoint, base: ReplayPlan) -> PointRun:
    """Replay a point on the cycle model; `base` is any plan of its trace, tokens and batch.

    Raises UserError for what trace or unit lack.
    """
    started = time.perf_counter()
    plan = base.on(point.workload, point.unit)
    job = policy_job(plan, point.policy, options_of(point.policy, point.options))
    measure = Measure.of(plan.events, plan.workload, warm_up_steps(plan, point.warm_up))
    measured = measure_on_model(job, measure)
    run = MeasuredRun(
        measured.result, None, point.prices, sum(measure.tokens), measure.all_resident, measured.table_bits_moved
    )
    return PointRun(point, plan, run, measure.warm_up, time.perf_counter() - started)


def warm_up_steps(plan: ReplayPlan, asked: int | None) -> int:
    """Return how many decode steps are left out of figures; raises UserError if none would remain."""
    steps = int(plan.events.step_first.sum())
    chosen = default_warm_up(steps) if asked is None else asked
    if chosen >= steps:
        raise UserError(f"warm-up {chosen}: must be below the {steps} decode steps replayed of {plan.path}")
    return chosen


def base_plan(point: DesignPoint, trace: Trace) -> ReplayPlan:
    """Return a plan of the point's trace, tokens and batch, to run it and others of the same on."""
    return ReplayPlan(Path(point.trace), trace, point.workload, point.unit, point.tokens, point.batch)


@cache
def _energy_table() -> EnergyTable:
    return load_energy_table()


def _digest(parts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:DIGEST_DIGITS]

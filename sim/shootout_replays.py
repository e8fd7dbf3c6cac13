"""The shoot-out in time: what every predictor's replays cost on every platform, on the cycle model.

Each predictor has a unit of its own, and all of a platform run at one scale. Nothing is left out as warm-up: slots are
empty at the start, and so are the tables of those that are `cold`; others start from a profile of the trace's end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ..hw.config import UnitConfig
from ..traces.format import Trace
from .all_resident import all_resident_cycles, link_room
from .any_policy import policy_job, unit_policies
from .cycle_model.engine import run_model
from .jobs import ReplayPlan, require_geometry
from .metrics import derive_figures
from .model_spec import ModelSpec
from .platform_spec import PlatformSpec
from .policies import KNOWN_POLICIES, PolicyOptions
from .prediction_time import largest_valid_scale
from .replay_run import Run
from .roofline import belady_loads, link_cycles
from .unit_fit import fit_unit, with_predictors
from .workload import Workload, derive

ON_DEMAND = "on demand"
ST_MOE = "ST-MoE, ranked"
WEIGHTS = "weights"
ORACLE = "oracle"
THRESHOLDS = (136, 120, 104)
"""Lowest scores; of the weights they stand for a probability of three quarters, two fifths and a tenth."""
TWO_AHEAD = {"weight_sources": ((2, 0), (3, 0), (4, 0), (0, 1)), "weight_ahead": 2}


class Entrant(NamedTuple):
    """One way to prefetch: a policy with options, on a unit with `unit` changed, `cold` if its tables start empty."""

    policy: str
    options: PolicyOptions = PolicyOptions()
    unit: Mapping[str, Any] = MappingProxyType({})
    cold: bool = False


@dataclass(frozen=True)
class Timed:
    """One entrant's replay: microseconds a step and link bytes a token of the real size, exposed stall in cycles."""

    name: str
    tpot_us: float
    link_bytes: float
    stall: int
    accuracy: float | None


@dataclass(frozen=True)
class PlatformReplays:
    """All entrants of a trace on a platform.

    `all_resident` and `roofline` are cycles, the latter None where an event does not fit the slots; `room` is how many
    experts the link could bring while an event lasts that waits for none.
    """

    trace: str
    platform: str
    scale: int
    steps: int
    room: float
    all_resident: int
    roofline: int | None
    timed: tuple[Timed, ...]

    def document(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {"label": "simulated on the cycle model, microseconds modelled"} | asdict(self)

    @cached_property
    def stalls(self) -> dict[str, int]:
        """Entrant -> exposed stall in cycles."""
        return {timed.name: timed.stall for timed in self.timed}

    def gap_closed(self, name: str, *, over: str = ON_DEMAND) -> float | None:
        """Return which share of the stall that `over` has and the one-event oracle has not `name` saves."""
        return self._share(name, over, self.stalls[ORACLE])

    def roofline_gap_closed(self, name: str, *, over: str = ON_DEMAND) -> float | None:
        """Return the same with the roofline in the oracle's place."""
        return None if self.roofline is None else self._share(name, over, self.roofline - self.all_resident)

    def _share(self, name: str, over: str, least: int) -> float | None:
        gap = self.stalls[over] - least
        return (self.stalls[over] - self.stalls[name]) / gap if gap > 0 and name in self.stalls else None


def entrants(top_k: int, n_experts: int, *, hints: bool) -> dict[str, Entrant]:
    """Return name -> entrant, in the order of tables; `hints` says whether the trace has some."""
    found = {
        ON_DEMAND: Entrant("none"),
        "previous token": Entrant("previous_token"),
        "static hot set": Entrant("hot_set"),
        "ST-MoE, its own set": Entrant("st_moe_paper"),
        "ST-MoE, cold": Entrant("st_moe", cold=True),
        ST_MOE: Entrant("st_moe"),
        "weights, cold": Entrant("weights", cold=True),
        WEIGHTS: Entrant("weights"),
    }
    for score in THRESHOLDS:
        options = PolicyOptions(budget=min(2 * top_k, n_experts), min_score=score)
        found[f"weights, above {score}"] = Entrant("weights", options)
    found["weights, two ahead"] = Entrant("weights", unit=TWO_AHEAD)
    if hints:
        found["hints"] = Entrant("hints")
    return found | {ORACLE: Entrant("oracle"), "oracle, far": Entrant("oracle_far")}


def replay_on_platforms(
    path: Path,
    trace: Trace,
    model: ModelSpec,
    platforms: Sequence[PlatformSpec],
    unit: UnitConfig,
    tokens: int,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> list[PlatformReplays]:
    """Replay the first `tokens` decode steps of a trace of `model` on every platform.

    `unit` is what units are made of; `show` is called with platforms done and platforms in all. Raises UserError.
    """
    require_geometry(path, trace, model)
    every = with_predictors(unit, KNOWN_POLICIES.values())
    plans: list[ReplayPlan] = []
    found = []
    for index, platform in enumerate(platforms):
        show(index, len(platforms))
        policies = list(KNOWN_POLICIES.values())
        scale = largest_valid_scale(model, platform, every, policies, trace.meta.top_k)
        workload = derive(model, platform, scale)
        if not plans:
            plans = _plans(ReplayPlan(path, trace, workload, fit_unit(every, workload), tokens))
        found.append(_replays(plans, workload, unit))
    return found


def _plans(plan: ReplayPlan) -> list[ReplayPlan]:
    """Return plans with the tables that entrants begin with, worked out once for all platforms: the plan first."""
    two_ahead = replace(plan, unit=plan.unit.replace(**TWO_AHEAD))
    for profiled in (plan, two_ahead):
        _ = profiled.profile, profiled.weight_profile
    return [plan, replace(plan, given=()), two_ahead]


def _replays(plans: list[ReplayPlan], workload: Workload, unit: UnitConfig) -> PlatformReplays:
    profiled, cold, two_ahead = plans
    meta, events = profiled.trace.meta, profiled.events
    timed = []
    for name, entrant in entrants(meta.top_k, meta.n_experts, hints=profiled.trace.hints is not None).items():
        own = fit_unit(with_predictors(unit.replace(**entrant.unit), unit_policies([entrant.policy])), workload)
        plan = (cold if entrant.cold else two_ahead if entrant.unit else profiled).on(workload, own)
        run = Run(run_model(policy_job(plan, entrant.policy, entrant.options)))
        timed.append(_timed(name, run))
    all_resident = all_resident_cycles(events, workload)
    loads = belady_loads(events, meta.n_experts, min(workload.slots, fit_unit(unit, workload).slots))
    return PlatformReplays(
        trace=profiled.path.stem,
        platform=workload.platform,
        scale=workload.scale,
        steps=int(events.step_first.sum()),
        room=link_room(events, workload),
        all_resident=all_resident,
        roofline=None if loads is None else max(all_resident, link_cycles(int(loads.sum()), workload)),
        timed=tuple(timed),
    )


def _timed(name: str, run: Run) -> Timed:
    figures: dict[str, Any] = derive_figures(run)
    return Timed(
        name,
        tpot_us=figures["tpot_mean_us"],
        link_bytes=figures["link_bytes_per_token"],
        stall=figures["exposed_stall"],
        accuracy=figures["accuracy"],
    )

"""The mean time of a step and the hit rate against the number of slots, for the policies that bound the others.

Each point is a replay on the cycle model. A file keeps every point as it ends, so that a run that was cut off goes on.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..traces.atomic import replacing
from .jobs import ReplayPlan, build_jobs
from .measured_run import Measure, Measured
from .metrics import derive_figures
from .model_policies import MODEL_POLICIES
from .policies import POLICIES, PolicyOptions
from .replay_result import ReplayJob
from .replay_run import Run
from .unit_fit import fit_unit

CACHE_SIZES_JSON = "cache-sizes.json"
SHOWN_POLICIES = ("none", "st_moe", "belady", "oracle", "belady_oracle")
SHARES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
"""Sizes in token cycles, as far as there are so many experts and slots."""
Replay = Callable[[ReplayJob, Measure], Measured]


class SizePoint(NamedTuple):
    """One policy at one size; `tpot_mean` in cycles, `tpot_mean_us` at real size."""

    policy: str
    slots: int
    tpot_mean: float
    tpot_mean_us: float
    hit_rate: float | None


def token_cycle(plan: ReplayPlan) -> int:
    """Return how many experts a token selects over all layers."""
    return plan.trace.meta.n_layers * plan.trace.meta.top_k


def sizes(plan: ReplayPlan) -> list[int]:
    """Return the numbers of slots to replay with: each holds an event, and none more than all experts."""
    most = min(1024, plan.trace.meta.n_layers * plan.trace.meta.n_experts)
    least = max(2, int(plan.events.members.max()))
    return sorted({slots for share in SHARES if least <= (slots := round(share * token_cycle(plan))) <= most})


def plan_with_slots(plan: ReplayPlan, slots: int) -> ReplayPlan:
    """Return the plan on a unit with so many slots."""
    workload = plan.workload.model_copy(update={"slots": slots})
    return plan.on(workload, fit_unit(plan.unit, workload))


def size_points(
    plan: ReplayPlan, measure: Measure, replay: Replay, known: Sequence[SizePoint] = ()
) -> Iterator[tuple[int, int, SizePoint]]:
    """Replay every size and policy that is not `known`, and yield points done, points in all, and the new point."""
    wanted = [(slots, policy) for slots in sizes(plan) for policy in SHOWN_POLICIES]
    have = {(point.slots, point.policy) for point in known}
    for done, (slots, policy) in enumerate(wanted, start=1):
        if (slots, policy) not in have:
            yield done, len(wanted), _point(plan_with_slots(plan, slots), policy, measure, replay)


def _point(plan: ReplayPlan, policy: str, measure: Measure, replay: Replay) -> SizePoint:
    if policy in POLICIES:
        (job,) = build_jobs(plan, [POLICIES[policy]], PolicyOptions())
    else:
        job = MODEL_POLICIES[policy].job(plan)
    run = replay(job, measure)
    figures = derive_figures(Run(run.result))
    mean, us = figures["tpot_mean"], figures["tpot_mean_us"]
    return SizePoint(policy, plan.workload.slots, float(mean or 0), float(us or 0), figures["hit_rate"])


def read_points(path: Path, key: dict[str, Any]) -> list[SizePoint]:
    """Return the points that a file has of the replay named by `key`; none where the file is not there or of others."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return [SizePoint(**point) for found in document if found["of"] == key for point in found["points"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def write_points(path: Path, found: Sequence[tuple[dict[str, Any], Sequence[SizePoint]]]) -> None:
    """Write all points, with what each list is of; whole or not at all."""
    document = [{"of": key, "points": [point._asdict() for point in points]} for key, points in found]
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

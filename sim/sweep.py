"""Runs design points, on the cores of this machine or on a cluster, and keeps each result as it comes."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Protocol

from .any_policy import unit_policies
from .design_point import DesignPoint, base_plan, run_point, warm_up_steps
from .job_pool import run_tasks
from .jobs import ReplayPlan
from .point_columns import Row, row_of
from .point_store import PointStore
from .sweep_points import KnownTrace

Traces = dict[str, KnownTrace]
PlanKey = tuple[str, int | None, int]


class Backend(Protocol):
    """Runs points and yields their rows as they come, in any order; closing it ends what runs."""

    def __call__(self, points: Sequence[DesignPoint], traces: Traces) -> Generator[Row, None, None]:
        """Run the points."""
        ...


def run_missing(
    points: Sequence[DesignPoint],
    traces: Traces,
    store: PointStore,
    backend: Backend,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Run those points that have no result in `store` and keep each as it ends; return how many were run.

    `show` is called with points done and points in all.
    """
    missing = [point for point in points if point.digest not in store]
    done = len(points) - len(missing)
    show(done, len(points))
    if not missing:
        return 0
    with closing(backend(missing, traces)) as rows:
        for row in rows:
            store.add(row)
            done += 1
            show(done, len(points))
    return len(missing)


def local_backend(jobs: int) -> Backend:
    """Return the backend of this machine's cores: `jobs` processes at once, which share what is read."""

    def run(points: Sequence[DesignPoint], traces: Traces) -> Generator[Row, None, None]:
        plans = shared_plans(points, traces)
        compile_model(points[0], traces)

        def work(point: DesignPoint, _: Callable[[int, int], None]) -> Row:
            return row_of(run_point(point, plans[plan_key(point)]))

        with closing(run_tasks(work, points, workers=jobs)) as finished:
            for _, row in finished:
                yield row

    return run


def plan_key(point: DesignPoint) -> PlanKey:
    """Return what a base plan depends on."""
    return point.content, point.tokens, point.batch


def shared_plans(points: Iterable[DesignPoint], traces: Traces) -> dict[PlanKey, ReplayPlan]:
    """Return the base plan of each trace, tokens and batch, with what several of its points need."""
    plans: dict[PlanKey, ReplayPlan] = {}
    for point in points:
        key = plan_key(point)
        if key not in plans:
            plans[key] = base_plan(point, traces[point.trace].trace)
        prepare(plans[key], point)
    return plans


def prepare(plan: ReplayPlan, point: DesignPoint) -> None:
    """Work out once what points of a plan share: events, profile. Raises UserError for too long a warm-up."""
    warm_up_steps(plan, point.warm_up)
    for policy in unit_policies([point.policy]):
        if policy.hints:
            _ = plan.hinted_events
        elif policy.predictor not in (None, "weights"):
            _ = plan.profile


def compile_model(point: DesignPoint, traces: Traces) -> None:
    """Compile the cycle model, or load its machine code, before processes that share it are forked."""
    first = replace(point, tokens=1, warm_up=0)
    run_point(first, base_plan(first, traces[point.trace].trace))

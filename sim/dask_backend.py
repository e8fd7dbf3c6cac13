"""A Dask cluster as the backend of sweeps, through joblib: points go out, rows come back as they end.

A worker that dies loses nothing: the scheduler gives its points to others. Workers need moefetch, the same version,
and no files: the traces are sent.
"""

import importlib.util
import logging
from collections.abc import Generator, Sequence
from typing import Any

from ..traces.errors import UserError
from ..traces.format import Trace
from .design_point import DesignPoint, base_plan, run_point
from .jobs import ReplayPlan
from .point_columns import Row, row_of
from .source_digest import tool_version
from .sweep import Backend, PlanKey, Traces, plan_key, prepare

PACKAGES = ("joblib", "dask", "distributed")
CONNECT_SECONDS = 10
WORKERS_SECONDS = 60
"""How long a cluster may take to have its first worker."""
MOST_PLANS = 4
_plans: dict[PlanKey, ReplayPlan] = {}
"""Of this worker process, the latest `MOST_PLANS`."""


def require_dask() -> None:
    """Raise UserError, saying what to install, if the packages of a cluster are missing."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"--backend dask: {', '.join(missing)} not installed: pip install 'moefetch[cluster]'")


def dask_backend(scheduler: str) -> Backend:
    """Return the backend of the cluster whose scheduler has this address; raises UserError if there is none."""
    require_dask()

    def run(points: Sequence[DesignPoint], traces: Traces) -> Generator[Row, None, None]:
        try:
            yield from on_cluster(points, traces)
        except TimeoutError:
            raise UserError(f"--scheduler {scheduler}: has no worker after {WORKERS_SECONDS} s") from None

    def on_cluster(points: Sequence[DesignPoint], traces: Traces) -> Generator[Row, None, None]:
        import joblib
        from distributed import Client

        logging.getLogger("distributed").setLevel(logging.ERROR)
        sent = {known.path: known.trace for known in traces.values()}
        with _connected(Client, scheduler) as client:
            with joblib.parallel_config(backend=_joblib_backend(client, list(sent.values()))):
                # One point a task: a row is kept as soon as it is there, and a lost worker costs one point a thread.
                # All are handed over at once, so that workers that come later have work.
                parallel: Any = joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="all")
                rows = parallel(joblib.delayed(run_remotely)(point, sent[point.trace]) for point in points)
                yield from (_checked(row, scheduler) for row in rows)

    return run


def run_remotely(point: DesignPoint, trace: Trace) -> Row:
    """Run a point in a worker's process, which keeps the latest plans."""
    plan = _plans.get(plan_key(point))
    if plan is None:
        plan = base_plan(point, trace)
        while len(_plans) >= MOST_PLANS:
            _plans.pop(next(iter(_plans)), None)
        _plans[plan_key(point)] = plan
    prepare(plan, point)
    return row_of(run_point(point, plan))


def _joblib_backend(client: Any, sent: list[Trace]) -> Any:
    """Return joblib's Dask backend, for clusters of one thread too: joblib would run their points in this process."""
    from joblib._dask import DaskDistributedBackend

    class ClusterBackend(DaskDistributedBackend):
        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(2, super().effective_n_jobs(n_jobs))

    return ClusterBackend(client=client, scatter=sent, wait_for_workers_timeout=WORKERS_SECONDS)


def _connected(client: Any, scheduler: str) -> Any:
    try:
        return client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(f"--scheduler {scheduler}: no Dask scheduler answers there: {error}") from error


def _checked(row: Any, scheduler: str) -> Row:
    if not isinstance(row, dict):
        raise UserError(f"--scheduler {scheduler}: the cluster gave up a point: {row!r}")
    if row["tool"] != tool_version():
        raise UserError(f"--scheduler {scheduler}: a worker has moefetch {row['tool']}: must be {tool_version()}")
    return row

"""The cycle model as the engine of commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..sim.replay_result import ReplayJob, ReplayResult


def replay_on_model(jobs: Sequence[ReplayJob], *, show: Callable[[int, int], None]) -> list[ReplayResult]:
    """Replay `jobs` on the cycle model, one after the other in this process; `show` gets events done and in all."""
    # numba takes a second to import, and some to compile at the first use: only commands that need it pay.
    from ..sim.cycle_model.engine import run_model

    total = sum(len(job.events) for job in jobs)
    done = 0
    results = []
    for job in jobs:
        before = done
        results.append(run_model(job, progress=lambda now, _, before=before: show(before + now, total)))
        done += len(job.events)
    return results

"""What a comparison's report shows of single prefetches: their slack, the link's use, one step's timeline, layers.

All but the layers is of a window of steps after the warm-up, replayed again on the cycle model with its log on. Layers
are of the whole replay, its warm-up included.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..traces.atomic import replacing
from .compare import Comparison
from .compare_report import comparison_document, identity
from .cycle_model.observe import Observation, observe
from .event_columns import EventColumns
from .link_use import link_use
from .measured_run import Measure, Measured
from .replay_result import ReplayJob
from .token_timeline import event_times, token_bars
from .transfers import Transfer, transfers_of

DETAIL_VERSION = 1
DETAIL_JSON = "detail.json"
WINDOW_STEPS = 64
LINK_STEPS = 4
"""Steps of the window that the chart of the link shows."""
LINK_BINS = 160
SLACK_BINS = 40
LAYER_COUNTS = ("demand", "hit", "late", "miss", "issued", "useless")
Observe = Callable[[ReplayJob, int], Observation]


def detail_of(runs: Sequence[Measured], watch: Observe = observe) -> dict[str, Any]:
    """Return the detail of one trace's comparison, by policy."""
    measure, job = runs[0].measure, runs[0].whole.job
    first, last = window_events(job, measure)
    shown = median_step(runs[0], last - first)
    watched = {run.whole.job.policy: watch(run.whole.job, last + shown[1]) for run in runs}
    transfers = {policy: transfers_of(observation) for policy, observation in watched.items()}
    edges = slack_edges([t for found in transfers.values() for t in found if first <= t.target < last])
    return {
        "steps": int(EventColumns.of(job.events).step_first[first:last].sum()),
        "shown_step": shown[0],
        "slack_edges": edges.tolist(),
        "policies": {
            run.whole.job.policy: _policy(
                run, watched[run.whole.job.policy], transfers[run.whole.job.policy], (first, last), edges, shown[0]
            )
            for run in runs
        },
    }


def write_details(comparisons: Sequence[Comparison], details: Sequence[dict[str, Any]], out: Path) -> Path:
    """Write `out`/detail.json, the detail of each comparison with what it is of, whole or not at all."""
    parts = [
        {"of": identity(comparison_document(comparison))} | detail
        for comparison, detail in zip(comparisons, details, strict=True)
    ]
    document = {"detail_version": DETAIL_VERSION, "comparisons": parts}
    with replacing(out / DETAIL_JSON) as temporary:
        temporary.write_text(json.dumps(document) + "\n", encoding="utf-8")
    return out / DETAIL_JSON


def window_events(job: ReplayJob, measure: Measure) -> tuple[int, int]:
    """Return the first event of the window and the one after its last."""
    starts = np.flatnonzero(EventColumns.of(job.events).step_first)
    ends = [*starts[measure.warm_up + 1 :].tolist(), len(job.events)]
    return measure.marks[0], ends[min(WINDOW_STEPS, len(ends)) - 1]


def median_step(run: Measured, events: int) -> tuple[int, int]:
    """Return the window's step of median cycles, and how many events a step has."""
    starts = np.flatnonzero(EventColumns.of(run.whole.job.events).step_first)[run.measure.warm_up :]
    steps = int((starts < run.measure.marks[0] + events).sum())
    cycles = run.whole.step_cycles[run.measure.warm_up :][:steps]
    return int(np.argsort(cycles, kind="stable")[(steps - 1) // 2]), -(-events // steps)


def slack_edges(transfers: Sequence[Transfer]) -> np.ndarray:
    """Return the edges of a histogram of slack in cycles, one of them 0, the ends at the 1st and 99th percentile."""
    slacks = np.array([t.slack for t in transfers if t.slack is not None], np.int64)
    if not len(slacks):
        return np.zeros(0, np.int64)
    low, high = (int(np.percentile(slacks, share)) for share in (1, 99))
    low, high = min(low, 0), max(high, 1)
    width = max(1, -(-(high - low) // SLACK_BINS))
    return np.arange(low // width * width, high + width + 1, width)


def _policy(
    run: Measured,
    observation: Observation,
    transfers: list[Transfer],
    window: tuple[int, int],
    edges: np.ndarray,
    shown: int,
) -> dict[str, Any]:
    job, (first, last) = run.whole.job, window
    starts = [*np.flatnonzero(EventColumns.of(job.events).step_first).tolist(), len(job.events)]
    begin, end = (starts[run.measure.warm_up + shown + more] for more in (0, 1))
    slacks = [t.slack for t in transfers if first <= t.target < last and t.slack is not None]
    return {
        "layers": [{name: layer[name] for name in LAYER_COUNTS} for layer in run.whole.statistics["layers"]],
        "slack": [] if not len(edges) else np.histogram(np.clip(slacks, edges[0], edges[-1] - 1), edges)[0].tolist(),
        "link": _link(observation, transfers, starts, run.measure.warm_up),
        "timeline": [bar._asdict() for bar in token_bars(observation, transfers, job, begin, end)],
    }


def _link(observation: Observation, transfers: list[Transfer], starts: list[int], warm_up: int) -> dict[str, Any]:
    times = event_times(observation)
    steps = starts[warm_up : warm_up + LINK_STEPS + 1]
    begin, end = (times[place - 1].end if place else 0 for place in (steps[0], min(steps[-1], len(times))))
    used = link_use(observation, transfers, np.unique(np.linspace(begin, end, LINK_BINS + 1).astype(np.int64)))
    return {
        "steps": len(steps) - 1,
        "cycles": (used.edges - begin).tolist(),
        "shares": {fate.value: np.round(share, 4).tolist() for fate, share in used.shares.items()},
        "background": np.round(used.background, 4).tolist(),
    }

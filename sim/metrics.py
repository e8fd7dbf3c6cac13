"""What is derived from a replay's counters: each figure with its name, formula, unit and label."""

from collections.abc import Callable
from math import ceil

from .energy_figures import ENERGY_FIGURES
from .figure import Figure
from .replay_run import Run, link_beats, mean_step, ratio


def percentile(values: list[int], share: float) -> int | None:
    """Return the nearest-rank percentile: the smallest value that at least `share` of all do not exceed."""
    if not values:
        return None
    return sorted(values)[max(1, ceil(share * len(values))) - 1]


def _counter_ratio(
    part: tuple[str, ...], whole: tuple[str, ...], less: tuple[str, ...] = ()
) -> Callable[[Run], float | None]:
    def of(run: Run) -> float | None:
        counters = run.result.counters
        total = sum(counters[name] for name in whole) - sum(counters[name] for name in less)
        return ratio(sum(counters[name] for name in part), total)

    return of


def _coverage(run: Run) -> float | None:
    if run.baseline is None:
        return None
    part = ratio(run.result.counters["miss"], run.baseline.counters["miss"])
    return None if part is None else 1 - part


def _traffic(run: Run) -> float | None:
    return None if run.baseline is None else ratio(run.link_beats, link_beats(run.baseline))


def _step_percentile(share: float) -> Callable[[Run], int | None]:
    return lambda run: percentile(run.result.step_cycles, share)


def _exposed(run: Run) -> int:
    return run.result.cycles - run.all_resident


WASTED = (
    "(link beats - expert beats x (demand_issued - demand_failed + late + timely + open)) x bus bytes x scale / tokens"
)

FIGURES = (
    Figure("hit_rate", "hit / demand", "share", "simulated", _counter_ratio(("hit",), ("demand",))),
    Figure(
        "accuracy",
        "(timely + late) / (issued - open)",
        "share",
        "simulated",
        _counter_ratio(("timely", "late"), ("issued",), ("open",)),
    ),
    Figure("coverage", "1 - miss / miss of the run without prefetch", "share", "simulated", _coverage),
    Figure(
        "timeliness", "timely / (timely + late)", "share", "simulated", _counter_ratio(("timely",), ("timely", "late"))
    ),
    Figure(
        "link_bytes_per_token",
        "(demand_beats + prefetch_beats + discarded_beats) x bus bytes x scale / tokens",
        "bytes",
        "simulated",
        lambda run: run.real_bytes_per_token(run.link_beats),
    ),
    Figure(
        "wasted_bytes_per_token",
        WASTED,
        "bytes",
        "simulated",
        lambda run: run.real_bytes_per_token(run.wasted_beats),
    ),
    Figure("traffic_ratio", "link beats / link beats of the run without prefetch", "ratio", "simulated", _traffic),
    Figure("tpot_mean", "cycles / steps", "cycles", "simulated", mean_step),
    Figure("tpot_p50", "nearest-rank percentile of a step's cycles", "cycles", "simulated", _step_percentile(0.5)),
    Figure("tpot_p95", "nearest-rank percentile of a step's cycles", "cycles", "simulated", _step_percentile(0.95)),
    Figure("tpot_p99", "nearest-rank percentile of a step's cycles", "cycles", "simulated", _step_percentile(0.99)),
    Figure(
        "tpot_mean_us",
        "tpot_mean x scale / clock",
        "microseconds of the real size",
        "modelled",
        lambda run: run.real_microseconds(mean_step(run)),
    ),
    Figure(
        "tpot_p99_us",
        "tpot_p99 x scale / clock",
        "microseconds of the real size",
        "modelled",
        lambda run: run.real_microseconds(percentile(run.result.step_cycles, 0.99)),
    ),
    Figure(
        "all_resident_cycles",
        "cycles with every expert resident and no bank conflict",
        "cycles",
        "modelled",
        lambda run: run.all_resident,
    ),
    Figure("exposed_stall", "cycles - all_resident_cycles", "cycles", "modelled", _exposed),
    Figure(
        "exposed_stall_share",
        "exposed_stall / cycles",
        "share",
        "modelled",
        lambda run: ratio(_exposed(run), run.result.cycles),
    ),
    *ENERGY_FIGURES,
)
"""Every derived figure, in the order of reports."""


def derive_figures(run: Run) -> dict[str, float | int | None]:
    """Return name -> value of every figure."""
    return {figure.name: figure.of(run) for figure in FIGURES}

"""What is derived from a replay's counters: each figure with its name, formula, unit and label."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Literal, NamedTuple

from .all_resident import all_resident_cycles
from .event_columns import EventColumns
from .replay_result import ReplayResult

Label = Literal["measured", "simulated", "modelled"]
LABELS: dict[Label, str] = {
    "measured": "taken on this machine, or from the recorded trace",
    "simulated": "counted by the engine, cycle by cycle",
    "modelled": "computed from a model, or from simulated figures and the presets' assumptions",
}


@dataclass(frozen=True)
class Run:
    """A replay's result with what its figures are compared with.

    `baseline` is the result of policy none on the same job, None if it was not run.
    """

    result: ReplayResult
    baseline: ReplayResult | None = None

    @property
    def tokens(self) -> int:
        """Tokens generated: those of each step's first event."""
        return EventColumns.of(self.result.job.events).tokens

    @property
    def link_beats(self) -> int:
        """Beats that crossed the link."""
        return link_beats(self.result)

    @property
    def wasted_beats(self) -> int:
        """Beats that crossed the link and were no use: all but those of misses, used prefetches and open ones."""
        counters = self.result.counters
        fetched = counters["demand_issued"] - counters["demand_failed"] + counters["late"]
        kept = fetched + counters["timely"] + counters["open"]
        return max(0, self.link_beats - kept * self.result.job.workload.expert_beats)

    @property
    def all_resident(self) -> int:
        """Cycles of the all-resident run."""
        return all_resident_cycles(self.result.job.events, self.result.job.workload)

    def real_bytes_per_token(self, beats: int) -> float | None:
        """Return bytes of the unscaled model a token."""
        workload = self.result.job.workload
        return ratio(beats * workload.bus_bytes * workload.scale, self.tokens)

    def real_microseconds(self, cycles: float | None) -> float | None:
        """Return the time of the unscaled model."""
        workload = self.result.job.workload
        return None if cycles is None else cycles * workload.scale / workload.clock_hz * 1e6


class Figure(NamedTuple):
    """One derived figure; `of` returns None where it has no value (nothing was counted, or nothing to compare with)."""

    name: str
    formula: str
    unit: str
    label: Label
    of: Callable[[Run], float | int | None]


def link_beats(result: ReplayResult) -> int:
    """Return the beats that crossed the link, discarded ones included."""
    counters = result.counters
    return counters["demand_beats"] + counters["prefetch_beats"] + counters["discarded_beats"]


def ratio(part: float, whole: float) -> float | None:
    """Return `part` / `whole`, None for 0."""
    return part / whole if whole else None


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


def _mean_step(run: Run) -> float | None:
    return ratio(sum(run.result.step_cycles), len(run.result.step_cycles))


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
    Figure("tpot_mean", "cycles / steps", "cycles", "simulated", _mean_step),
    Figure("tpot_p50", "nearest-rank percentile of a step's cycles", "cycles", "simulated", _step_percentile(0.5)),
    Figure("tpot_p95", "nearest-rank percentile of a step's cycles", "cycles", "simulated", _step_percentile(0.95)),
    Figure("tpot_p99", "nearest-rank percentile of a step's cycles", "cycles", "simulated", _step_percentile(0.99)),
    Figure(
        "tpot_mean_us",
        "tpot_mean x scale / clock",
        "microseconds of the real size",
        "modelled",
        lambda run: run.real_microseconds(_mean_step(run)),
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
)
"""Every derived figure, in the order of reports."""


def derive_figures(run: Run) -> dict[str, float | int | None]:
    """Return name -> value of every figure."""
    return {figure.name: figure.of(run) for figure in FIGURES}

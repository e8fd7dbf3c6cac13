"""Every policy of the cycle model on one trace: what each costs, and how far each is from the limits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..hw.config import UnitConfig
from .bootstrap import Interval, draw_sequences, percentile_interval, resampled_percentiles
from .figure import Label
from .jobs import ReplayPlan, build_jobs
from .measured_run import BUCKETS, Measured, MeasuredRun
from .metrics import FIGURES, derive_figures
from .model_policies import MODEL_POLICIES
from .policies import KNOWN_POLICIES, Policy, PolicyOptions
from .replay_result import ReplayJob
from .replay_run import ratio
from .report import BY_MODEL
from .roofline import belady_loads, link_cycles

ON_DEMAND = "none"
ORACLE = "oracle"
ALL_RESIDENT = "all_resident"
ROOFLINE = "roofline"
LOSES = "LOSES"
"""The verdict on a policy that prefetches and is slower than on-demand."""
LONGEST_WARM_UP = 100
WARM_UP_SHARE = 10
"""A warm-up by default is one step in so many, up to `LONGEST_WARM_UP`."""


class Meaning(NamedTuple):
    """What a figure of a comparison is."""

    formula: str
    unit: str
    label: Label


OWN_MEANINGS: dict[str, Meaning] = {
    "speed_up": Meaning(f"tpot_mean of {ON_DEMAND} / tpot_mean", "ratio", "modelled"),
    "gap_closed": Meaning(
        f"(tpot_mean of {ON_DEMAND} - tpot_mean) / (tpot_mean of {ON_DEMAND} - tpot_mean of {ORACLE})",
        "share",
        "modelled",
    ),
}
LIMIT_MEANINGS: dict[str, Meaning] = {
    ALL_RESIDENT: Meaning("all_resident_cycles / steps", "cycles", "modelled"),
    ROOFLINE: Meaning(
        "max(all_resident_cycles, Belady loads x expert beats x cycles per beat x period / (period - background)) "
        "/ steps; Belady loads: of the measured steps, the cache empty before the warm-up",
        "cycles",
        "modelled",
    ),
}
MEANINGS: dict[str, Meaning] = {
    **{f.name: Meaning(f.formula, f.unit, BY_MODEL.get(f.label, f.label)) for f in FIGURES},  # type: ignore[arg-type]
    **OWN_MEANINGS,
}
"""Every figure of a policy, in the order of reports."""
COUNTED = ("hit_rate", "accuracy", "coverage", "timeliness", "link_bytes_per_token", "wasted_bytes_per_token")
"""Figures of counters that have an interval; beside them those of time have one."""
PERCENTILES = {"tpot_p50": 0.5, "tpot_p95": 0.95, "tpot_p99": 0.99}


class PolicyFigures(NamedTuple):
    """One policy's row; `intervals` has those figures that have one, `stack` is cycles a step by bucket."""

    policy: str
    text: str
    prefetches: bool
    figures: dict[str, float | int | None]
    intervals: dict[str, Interval]
    stack: dict[str, float]
    verdict: str


def policy_texts() -> dict[str, str]:
    """Return name -> what it does, of every policy that the cycle model runs, in the order of reports."""
    found: dict[str, str] = {name: policy.text for name, policy in KNOWN_POLICIES.items()}
    return found | {name: policy.text for name, policy in MODEL_POLICIES.items()}


def policies_of(unit: UnitConfig) -> list[Policy]:
    """Return the policies that `unit` has the predictor for."""
    return [policy for policy in KNOWN_POLICIES.values() if policy.predictor in (None, *unit.predictors)]


def comparison_jobs(plan: ReplayPlan, skipped: Callable[[str], None]) -> list[ReplayJob]:
    """Return the job of every policy that trace and unit have what it needs for; `skipped` is told of the others."""
    policies = policies_of(plan.unit)
    for name, policy in KNOWN_POLICIES.items():
        if policy not in policies:
            skipped(f"the unit has no predictor {policy.predictor}: policy {name} is left out")
    jobs = build_jobs(plan, policies, PolicyOptions(), skipped=skipped)
    return jobs + [policy.job(plan) for policy in MODEL_POLICIES.values()]


def default_warm_up(steps: int) -> int:
    """Return how many steps are left out unless a user says: a tenth, 100 at most."""
    return min(LONGEST_WARM_UP, steps // WARM_UP_SHARE)


@dataclass(frozen=True)
class Comparison:
    """The measured runs of one plan's jobs, `none` and the oracle among them."""

    plan: ReplayPlan
    runs: Sequence[Measured]
    asked: dict[str, Any] = field(default_factory=dict)
    """What the command was asked for, with which a report makes the plan again."""

    @property
    def sequences(self) -> int:
        """Sequences (with a batch: groups) of which something is measured."""
        return len(self.runs[0].parts)

    @property
    def steps(self) -> int:
        """Measured decode steps."""
        return sum(self.runs[0].measure.steps)

    @property
    def tokens(self) -> int:
        """Measured tokens."""
        return sum(self.runs[0].measure.tokens)

    @cached_property
    def limits(self) -> dict[str, float | None]:
        """Cycles a step that no policy goes below; None for a roofline where the slots do not hold an event."""
        measure, workload = self.runs[0].measure, self.plan.workload
        loads = belady_loads(self.plan.events, workload.n_experts, self.slots)
        roofline = None
        if loads is not None:
            link = link_cycles(int(loads[measure.marks[0] :].sum()), workload)
            roofline = max(measure.all_resident, link) / self.steps
        return {ALL_RESIDENT: measure.all_resident / self.steps, ROOFLINE: roofline}

    @property
    def slots(self) -> int:
        """Slots in use."""
        return min(self.plan.workload.slots, self.plan.unit.slots)

    @cached_property
    def rows(self) -> list[PolicyFigures]:
        """Every policy's figures."""
        return [self._row(run) for run in self.runs]

    def row(self, policy: str) -> PolicyFigures:
        """Return one policy's figures."""
        return next(row for row in self.rows if row.policy == policy)

    def speed_up_of(self, cycles: float) -> float | None:
        """Return the speed-up of a limit over on-demand."""
        return ratio(self._mean(ON_DEMAND), cycles)

    def gap_closed_by(self, cycles: float) -> float | None:
        """Return the share of the gap from on-demand to the oracle; None where the oracle gains nothing."""
        gap = self._mean(ON_DEMAND) - self._mean(ORACLE)
        return (self._mean(ON_DEMAND) - cycles) / gap if gap > 0 else None

    def _row(self, run: Measured) -> PolicyFigures:
        policy, measure = run.whole.job.policy, run.measure
        whole = MeasuredRun(
            run.result, self._run(ON_DEMAND).result, self.plan.prices, self.tokens, measure.all_resident,
            run.table_bits_moved,
        )  # fmt: skip
        mean = run.result.cycles / self.steps
        figures = derive_figures(whole) | {"speed_up": self.speed_up_of(mean), "gap_closed": self.gap_closed_by(mean)}
        intervals = self._intervals(run)
        prefetches = run.whole.job.settings["budget"] > 0
        return PolicyFigures(
            policy=policy,
            text=policy_texts()[policy],
            prefetches=prefetches,
            figures=figures,
            intervals=intervals,
            stack={bucket: run.result.counters[bucket] / self.steps for bucket in BUCKETS},
            verdict="" if policy == ON_DEMAND else _verdict(prefetches, figures["speed_up"], intervals.get("speed_up")),
        )

    def _run(self, policy: str) -> Measured:
        return next(run for run in self.runs if run.whole.job.policy == policy)

    def _mean(self, policy: str) -> float:
        return self._run(policy).result.cycles / self.steps

    @cached_property
    def _draws(self) -> np.ndarray:
        return draw_sequences(self.sequences)

    def _intervals(self, run: Measured) -> dict[str, Interval]:
        if self.sequences < 2:
            return {}
        samples = self._times(run) | self._percentiles(run) | self._counts(run)
        found = {name: percentile_interval(values) for name, values in samples.items()}
        return {name: interval for name, interval in found.items() if interval is not None}

    def _times(self, run: Measured) -> dict[str, list[float | None]]:
        """Return the resamples' figures of time; all policies have the same sequences in a resample."""
        steps = self._draws @ np.array(run.measure.steps)
        means = self._draws @ np.array(run.part_cycles) / steps
        slowest = self._draws @ np.array(self._run(ON_DEMAND).part_cycles) / steps
        gap = slowest - self._draws @ np.array(self._run(ORACLE).part_cycles) / steps
        closed = [
            float(part) / float(whole) if whole > 0 else None for part, whole in zip(slowest - means, gap, strict=True)
        ]
        return {"tpot_mean": means.tolist(), "speed_up": (slowest / means).tolist(), "gap_closed": closed}

    def _percentiles(self, run: Measured) -> dict[str, list[float | None]]:
        sequence = np.repeat(np.arange(self.sequences), run.measure.steps)
        steps = np.array(run.result.step_cycles)
        found = resampled_percentiles(steps, sequence, self._draws, tuple(PERCENTILES.values()))
        return {name: found[:, place].tolist() for place, name in enumerate(PERCENTILES)}

    def _counts(self, run: Measured) -> dict[str, list[float | None]]:
        chosen = [figure for figure in FIGURES if figure.name in COUNTED]
        found: dict[str, list[float | None]] = {figure.name: [] for figure in chosen}
        baseline = self._run(ON_DEMAND)
        for counts in self._draws:
            tokens = int(counts @ np.array(run.measure.tokens))
            sample = MeasuredRun(run.with_counts(counts, []), baseline.with_counts(counts, []), None, tokens)
            for figure in chosen:
                found[figure.name].append(figure.of(sample))
        return found


def _verdict(prefetches: bool, speed_up: float | int | None, interval: Interval | None) -> str:
    """Say whether a policy is faster than on-demand; `unclear` where the interval holds 1."""
    if speed_up is None or speed_up == 1:
        return "same"
    low, high = interval or (speed_up, speed_up)
    if low <= 1 <= high:
        return "unclear"
    faster, slower = ("wins", LOSES) if prefetches else ("faster", "slower")
    return faster if low > 1 else slower

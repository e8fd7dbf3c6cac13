"""A comparison's report: tables and words for the terminal, one JSON and one CSV file."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..traces.atomic import replacing
from ..traces.content_hash import content_hash
from .bootstrap import CONFIDENCE, RESAMPLES, SEED, Interval
from .compare import (
    LIMIT_MEANINGS,
    LOSES,
    MEANINGS,
    ON_DEMAND,
    ORACLE,
    ROOFLINE,
    Comparison,
    PolicyFigures,
    policies_of,
)
from .energy_table import energy_statement
from .figure import LABELS
from .measured_run import BUCKETS
from .prediction_time import slowest_prediction
from .report import make_folder

COMPARE_VERSION = 1
COMPARE_JSON = "compare.json"
COMPARE_CSV = "compare.csv"
IDENTITY = ("content_sha256", "workload", "batch", "steps", "warm_up_steps", "unit_digest")
STACK_FORMULA = "cycles of the bucket in the measured steps / steps; the buckets add up to tpot_mean"
SHOWN = {
    "mean": "tpot_mean",
    "p50, p95, p99": "tpot_p50",
    "speed-up": "speed_up",
    "gap closed": "gap_closed",
    "hit": "hit_rate",
    "coverage": "coverage",
    "accuracy": "accuracy",
    "timeliness": "timeliness",
    "wasted": "wasted_bytes_per_token",
    "link": "link_bytes_per_token",
    "link uJ": "link_energy_per_token",
    "slots uJ": "slot_energy_per_token",
    "tables uJ": "table_energy_per_token",
    "wasted uJ": "wasted_energy_per_token",
    "all uJ": "energy_per_token",
    "EDP": "edp",
}
"""Heading in the terminal's tables -> the figure whose formula stands below them."""
Cell = Callable[[PolicyFigures], str]


def write_comparisons(comparisons: Sequence[Comparison], out: Path) -> list[Path]:
    """Write `out`/compare.json and `out`/compare.csv (a row a policy and trace), each whole or not at all."""
    make_folder(out)
    document = {
        "compare_version": COMPARE_VERSION,
        "labels": LABELS,
        "figures": {name: meaning._asdict() for name, meaning in (MEANINGS | LIMIT_MEANINGS).items()},
        "stack": {"formula": STACK_FORMULA, "unit": "cycles", "label": "modelled"},
        "comparisons": [comparison_document(comparison) for comparison in comparisons],
    }
    rows = [_flat_row(comparison, row) for comparison in comparisons for row in comparison.rows]
    with replacing(out / COMPARE_JSON) as temporary:
        temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    with replacing(out / COMPARE_CSV) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return [out / COMPARE_JSON, out / COMPARE_CSV]


def identity(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tells one comparison of compare.json from another, for files beside it."""
    return {name: document[name] for name in IDENTITY}


def tables(comparison: Comparison) -> list[Table]:
    """Return the terminal's tables: time, where the cycles go, what is prefetched, energy where there are prices."""
    workload = comparison.plan.workload
    title = f"{comparison.plan.path.name}: {workload.model} on {workload.platform}, cycles a step"
    time = _table(title, comparison, _TIME)
    for name, cycles in comparison.limits.items():
        time.add_row(
            name, _whole(cycles), "", "", "",
            _plain(None if cycles is None else comparison.speed_up_of(cycles), ".3f"), "",
            _plain(None if cycles is None else comparison.gap_closed_by(cycles), ".0%"), "limit",
        )  # fmt: skip
    energy = [_table("energy of moving experts and tables, a token", comparison, _ENERGY)]
    return [
        time,
        _table("where the cycles of a step go, % of the policy's own", comparison, _STACK),
        _table("what was prefetched", comparison, _PREFETCH),
        *(energy if comparison.plan.prices else []),
    ]


def sentences(comparison: Comparison) -> list[str]:
    """Say in words where prefetching loses, and where it makes no clear difference."""
    prefetching = [row for row in comparison.rows if row.prefetches]
    lines = [_loss(comparison, row) for row in prefetching if row.verdict == LOSES]
    if not lines:
        lines = [f"No prefetching policy loses against {ON_DEMAND} here."]
    unclear = [row.policy for row in prefetching if row.verdict == "unclear"]
    if unclear:
        lines.append(f"No clear difference from {ON_DEMAND}, as the interval holds 1: {', '.join(unclear)}.")
    return lines


def caption(comparison: Comparison) -> list[str]:
    """Return what must be read with the tables: what is covered, intervals, formulas."""
    plan = comparison.plan
    return [
        f"modelled by the cycle model; scale {plan.workload.scale}: {scale_statement(comparison)}; "
        f"unit {plan.unit.digest}; {comparison.slots} slots",
        f"warm-up: the first {comparison.runs[0].measure.warm_up} decode steps are replayed and left out; all figures, "
        f"counters too, are of the {comparison.steps} steps after them ({comparison.tokens} tokens)",
        f"profile {plan.profile_statement()}",
        interval_statement(comparison),
        *(f"{heading} = {MEANINGS[name].formula}" for heading, name in SHOWN.items()),
        f"second table: {STACK_FORMULA}",
        f"energy, modelled: {energy_statement(plan.prices)}",
        *(f"{name} = {meaning.formula}" for name, meaning in LIMIT_MEANINGS.items()),
        *(["no roofline: the slots do not hold the largest event"] if comparison.limits[ROOFLINE] is None else []),
    ]


def interval_statement(comparison: Comparison) -> str:
    """Say how the intervals were made, or why there are none."""
    if comparison.sequences < 2:
        return "no intervals: the measured steps are of one sequence"
    return (
        f"{CONFIDENCE:.0%} intervals: percentile bootstrap over {comparison.sequences} sequences, {RESAMPLES} "
        f"resamples, seed {SEED}"
    )


def scale_statement(comparison: Comparison) -> str:
    """Say whether the scale is valid, for the slowest prediction."""
    plan = comparison.plan
    slowest = slowest_prediction(plan.unit, policies_of(plan.unit), plan.trace.meta.top_k)
    return plan.workload.to_scale(slowest)[1]


def _loss(comparison: Comparison, row: PolicyFigures) -> str:
    figures, base = row.figures, comparison.row(ON_DEMAND).figures
    slower = 1 / (figures["speed_up"] or 1) - 1
    gained = 100 * ((figures["hit_rate"] or 0) - (base["hit_rate"] or 0))
    interval = row.intervals.get("speed_up")
    between = "" if interval is None else f", {CONFIDENCE:.0%} interval {_between(interval, '.3f')}"
    return (
        f"Prefetching {LOSES} with {row.policy}: {slower:.1%} more cycles a step than {ON_DEMAND} (speed-up "
        f"{figures['speed_up']:.3f}{between}), with {gained:+.1f} points hit rate, "
        f"{_plain(figures['traffic_ratio'], '.2f')} times the link bytes, "
        f"{_plain(figures['wasted_bytes_per_token'], ',.0f')} wasted bytes a token."
    )


def _table(title: str, comparison: Comparison, columns: Sequence[tuple[str, Cell]]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("policy", no_wrap=True)
    for heading, _ in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in comparison.rows:
        table.add_row(row.policy, *(cell(row) for _, cell in columns))
    return table


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison's part of compare.json."""
    plan = comparison.plan
    return {
        "trace": str(plan.path),
        "asked": comparison.asked,
        "content_sha256": plan.trace.meta.content_sha256 or content_hash(plan.trace),
        "model": plan.workload.model,
        "platform": plan.workload.platform,
        "scale": plan.workload.scale,
        "scale_statement": scale_statement(comparison),
        "slots": comparison.slots,
        "batch": plan.batch,
        "unit_digest": plan.unit.digest,
        "workload": plan.workload.model_dump(),
        "profile": plan.profile_statement(),
        "energy": None if plan.prices is None else plan.prices._asdict(),
        "warm_up_steps": comparison.runs[0].measure.warm_up,
        "steps": comparison.steps,
        "tokens": comparison.tokens,
        "sequences": comparison.sequences,
        "intervals": interval_statement(comparison),
        "gap_reference": ORACLE,
        "limits": {name: {"tpot_mean": value} for name, value in comparison.limits.items()},
        "verdict": sentences(comparison),
        "policies": {row.policy: _policy(comparison, row) for row in comparison.rows},
    }


def _policy(comparison: Comparison, row: PolicyFigures) -> dict[str, Any]:
    counters = next(run.result.counters for run in comparison.runs if run.whole.job.policy == row.policy)
    return {
        "text": row.text,
        "prefetches": row.prefetches,
        "verdict": row.verdict,
        "figures": {name: {"value": row.figures[name], "interval": row.intervals.get(name)} for name in MEANINGS},
        "stack": row.stack,
        "counters": counters,
    }


def _flat_row(comparison: Comparison, row: PolicyFigures) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name in MEANINGS:
        interval = row.intervals.get(name)
        figures |= {name: row.figures[name], f"{name}_low": None, f"{name}_high": None}
        if interval is not None:
            figures |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {
        "trace": comparison.plan.path.name,
        "model": comparison.plan.workload.model,
        "platform": comparison.plan.workload.platform,
        "scale": comparison.plan.workload.scale,
        "policy": row.policy,
        "verdict": row.verdict,
        "warm_up_steps": comparison.runs[0].measure.warm_up,
        "steps": comparison.steps,
        "tokens": comparison.tokens,
        "sequences": comparison.sequences,
        **figures,
        **{f"{name}_cycles_per_step": cycles for name, cycles in row.stack.items()},
        **{f"limit_{name}": value for name, value in comparison.limits.items()},
    }


def _plain(value: float | int | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _whole(value: float | int | None) -> str:
    return _plain(value, ",.0f")


def _between(interval: Interval | None, form: str) -> str:
    return "-" if interval is None else f"{format(interval.low, form)}-{format(interval.high, form)}"


def _figure(name: str, form: str) -> Cell:
    return lambda row: _plain(row.figures[name], form)


def _bucket(name: str) -> Cell:
    return lambda row: format(row.stack[name] / sum(row.stack.values()), ".1%")


_TIME: tuple[tuple[str, Cell], ...] = (
    ("mean", _figure("tpot_mean", ",.0f")),
    ("p50", _figure("tpot_p50", ",.0f")),
    ("p95", _figure("tpot_p95", ",.0f")),
    ("p99", _figure("tpot_p99", ",.0f")),
    ("speed-\nup", _figure("speed_up", ".3f")),
    (f"{CONFIDENCE:.0%}\ninterval", lambda row: _between(row.intervals.get("speed_up"), ".3f")),
    ("gap\nclosed", _figure("gap_closed", ".0%")),
    ("verdict", lambda row: row.verdict),
)
_STACK: tuple[tuple[str, Cell], ...] = tuple((name.removeprefix("stall_"), _bucket(name)) for name in BUCKETS)
_PREFETCH: tuple[tuple[str, Cell], ...] = (
    ("hit", _figure("hit_rate", ".1%")),
    ("coverage", _figure("coverage", ".1%")),
    ("accuracy", _figure("accuracy", ".1%")),
    ("timeliness", _figure("timeliness", ".1%")),
    ("wasted\nbytes/token", _figure("wasted_bytes_per_token", ",.0f")),
    ("link\nbytes/token", _figure("link_bytes_per_token", ",.0f")),
)
_ENERGY: tuple[tuple[str, Cell], ...] = (
    ("link\nuJ", _figure("link_energy_per_token", ",.1f")),
    ("slots\nuJ", _figure("slot_energy_per_token", ",.1f")),
    ("tables\nuJ", _figure("table_energy_per_token", ",.4f")),
    ("wasted\nuJ", _figure("wasted_energy_per_token", ",.1f")),
    ("all\nuJ", _figure("energy_per_token", ",.1f")),
    ("all, times\nthat of none", _figure("energy_ratio", ".3f")),
    ("EDP, times\nthat of none", _figure("edp_ratio", ".3f")),
)

"""`moefetch compare`: every policy of the cycle model on one platform, beside the limits."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ..hw.unit_file import read_unit_config
from ..sim.compare import Comparison, comparison_jobs, policies_of
from ..sim.compare_detail import detail_of, write_details
from ..sim.compare_report import caption, sentences, tables, write_comparisons
from ..sim.design_point import warm_up_steps
from ..sim.measured_run import Measure, Measured, measure_on_model
from ..sim.policies import KNOWN_POLICIES
from ..sim.replay_result import ReplayJob
from ..sim.report import require_writable
from .console import next_command, output, print_whole, progress, reports_errors
from .replay import ENERGY_HELP, make_plan, read_trace

DEFAULT_OUT = Path("build/compare")


@reports_errors
def compare(
    traces: Annotated[
        list[Path],
        typer.Argument(metavar="TRACE", help="Traces (.parquet), or recordings that `trace import` reads."),
    ],
    model: Annotated[str, typer.Option(metavar="PRESET|FILE", help="The model.")] = "moefetch-small",
    platform: Annotated[str, typer.Option(metavar="PRESET|FILE", help="The machine.")] = "lpddr5x",
    warm_up: Annotated[
        int | None,
        typer.Option(min=0, help="Leave the first N decode steps out of all figures; default: a tenth, 100 at most."),
    ] = None,
    tokens: Annotated[int | None, typer.Option(min=1, help="Replay the first N decode steps only.")] = None,
    scale: Annotated[
        str, typer.Option(metavar="N|auto", help="Divide bytes, cycles and latency by N; auto: the most that is valid.")
    ] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Sequences that share a step.")] = 1,
    unit: Annotated[
        str | None, typer.Option(metavar="PRESET|FILE", help="The unit; default: one that fits, with all predictors.")
    ] = None,
    experts: Annotated[
        int | None, typer.Option(min=1, help="Experts per layer, where a foreign recording does not say.")
    ] = None,
    energy: Annotated[str | None, typer.Option(metavar="FILE", help=ENERGY_HELP)] = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for compare.json and the files beside.")
    ] = DEFAULT_OUT,
) -> None:
    """Compare every policy on the cycle model: time, what it closes of the gap to the oracle, stalls, waste.

    Each trace is compared on its own. Figures are differences of counters: the warm-up is replayed and left out.
    """
    require_writable(out)
    compared = KNOWN_POLICIES.values() if unit is None else policies_of(read_unit_config(unit))
    plans = []
    for path in traces:
        with progress(f"reading {path.name}"):
            rows = read_trace(path, experts)
        plans.append(
            make_plan(path, rows, model=model, platform=platform, policy=",".join(policy.name for policy in compared),
                      scale=scale, unit=unit, tokens=tokens, batch=batch, energy=energy)
        )  # fmt: skip
    measures = [Measure.of(plan.events, plan.workload, warm_up_steps(plan, warm_up)) for plan in plans]
    asked = {"model": model, "platform": platform, "unit": unit, "tokens": tokens, "experts": experts}
    comparisons, details = [], []
    for plan, measure in zip(plans, measures, strict=True):
        with progress("counting the profile"):
            jobs = comparison_jobs(plan, _note)
        with progress(f"replaying {plan.path.name}") as show:
            comparisons.append(Comparison(plan, _run(jobs, measure, show), asked))
        with progress("watching single prefetches"):
            details.append(detail_of(comparisons[-1].runs))
    with progress("drawing sequences"):
        written = [*write_comparisons(comparisons, out), write_details(comparisons, details, out)]
    for comparison in comparisons:
        _print(comparison)
    typer.echo(f"wrote {', '.join(str(path) for path in written)}")
    next_command("moefetch", "report", out)


def _run(jobs: list[ReplayJob], measure: Measure, show: Callable[[int, int], None]) -> list[Measured]:
    total, done, found = sum(len(job.events) for job in jobs), 0, []
    for job in jobs:
        found.append(measure_on_model(job, measure))
        done += len(job.events)
        show(done, total)
    return found


def _print(comparison: Comparison) -> None:
    console = output()
    for table in tables(comparison):
        print_whole(table)
        console.print()
    for line in (*sentences(comparison), *caption(comparison)):
        typer.echo(textwrap.fill(line, console.width, subsequent_indent="  ", break_on_hyphens=False))
    typer.echo()


def _note(line: str) -> None:
    print(f"note: {line}", file=sys.stderr)

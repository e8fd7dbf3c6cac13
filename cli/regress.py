"""`moefetch regress`, which is `make sim`: the shipped traces through the RTL under every policy."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from ..sim.golden.laws import LawBroken
from ..sim.jobs import ReplayPlan, build_jobs
from ..sim.policies import POLICIES, PolicyOptions
from ..sim.replay_result import ReplayResult
from ..sim.report import REPORT_JSON, ReplayReport
from ..sim.rtl_replay import BUILD, replay_on_rtl, require_simulator
from ..traces.errors import UserError
from ..traces.format import Trace
from .console import next_command, output, progress, reports_errors
from .replay import (
    FAILED_STATUS,
    SIMULATOR_HELP,
    Simulator,
    failures_end_the_command,
    make_plan,
    print_report,
    read_trace,
)

SHIPPED = Path(__file__).parent.parent / "traces" / "data"
SHARED = Path(__file__).parent.parent.parent / "shared" / "traces"
REPORTS = BUILD / "regress"
FIRST_TOKENS = {Simulator.VERILATOR: 96, Simulator.ICARUS: 8, Simulator.NATIVE: 96}
"""Decode steps of each trace that are enough for every change."""


class Source(NamedTuple):
    """A trace of the regression: whose it is, and how many of its steps a full run takes (None: all)."""

    path: Path
    model: str
    platform: str
    full_tokens: int | None


LONG_SOURCE = Source(SHARED / "gpt-oss-20b.decode.npz", "gpt-oss-20b", "lpddr5x", 2000)


@reports_errors
def regress(
    sim: Annotated[Simulator, typer.Option(help=SIMULATOR_HELP)] = Simulator.VERILATOR,
    full: Annotated[bool, typer.Option("--full", help="Whole traces, and 2,000 tokens of gpt-oss-20b.")] = False,
    tokens: Annotated[int | None, typer.Option(min=1, help="Decode steps of each trace.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Replays at once.")] = 2,
) -> None:
    """Replay every shipped trace under every policy; status 1 if RTL and golden model, or two simulators, differ."""
    require_simulator(sim.value)
    sources, policies = _sources(full), list(POLICIES.values())
    with progress("reading traces"):
        plans = [_plan(source, sim, full, tokens) for source in sources]
    with progress("counting profiles"):
        queued = [job for plan in plans for job in build_jobs(plan, policies, PolicyOptions(), skipped=_note)]
        queued.sort(key=lambda job: len(job.events), reverse=True)  # the longest first, so that all end together
    with failures_end_the_command(), progress(f"replaying on {sim.value}") as show:
        results = replay_on_rtl(queued, simulator=sim.value, workers=jobs, show=show)
        reports = _reports(plans, results)
        for report in reports:
            _require_same_demand(report)
    differences = []
    for report in reports:
        report.write(_folder(sim, report.plan))
        print_report(report)
        differences += _compare(report, sim)
        output().print()
    typer.echo(f"reports: {REPORTS / sim.value}")
    for line in differences:
        print(f"failed: {line}", file=sys.stderr)
    if differences:
        raise typer.Exit(FAILED_STATUS)
    if sim is not Simulator.ICARUS:
        next_command("moefetch", "regress", "--sim", "icarus")
    else:
        next_command("moefetch", "replay", sources[0].path, "--policy", "st_moe", "--out", "build/replay")


def _sources(full: bool) -> list[Source]:
    sources = [Source(path, "moefetch-small", "lpddr5x", None) for path in sorted(SHIPPED.glob("*.parquet"))]
    if not sources:
        raise UserError(f"{SHIPPED}: no trace (.parquet): the shipped recordings are missing; `make record` makes them")
    if full and LONG_SOURCE.path.exists():
        sources.append(LONG_SOURCE)
    elif full:
        _note(f"{LONG_SOURCE.path}: is not there: {LONG_SOURCE.full_tokens} tokens of {LONG_SOURCE.model} are left out")
    return sources


def _plan(source: Source, sim: Simulator, full: bool, tokens: int | None) -> ReplayPlan:
    trace: Trace = read_trace(source.path)
    taken = tokens if tokens is not None else source.full_tokens if full else FIRST_TOKENS[sim]
    return make_plan(source.path, trace, model=source.model, platform=source.platform, policy="all", tokens=taken)


def _reports(plans: Sequence[ReplayPlan], results: Sequence[ReplayResult]) -> list[ReplayReport]:
    return [ReplayReport(plan, [result for result in results if result.job.name == plan.path.stem]) for plan in plans]


def _require_same_demand(report: ReplayReport) -> None:
    """Raise LawBroken if a policy changed what the router demands: prediction moves bytes, never routing."""
    found = {result.job.policy: result.counters["demand"] for result in report.results}
    if len(set(found.values())) > 1:
        raise LawBroken(f"{report.plan.path.name}: policies must not change demand: {found}")


def _folder(sim: Simulator, plan: ReplayPlan) -> Path:
    return REPORTS / sim.value / plan.path.stem


def _compare(report: ReplayReport, sim: Simulator) -> list[str]:
    """Compare with the other simulators' reports of the same replay, say so, and return the differences."""
    differences, compared = [], False
    for other in Simulator:
        if other is sim:
            continue
        found, same = _compare_with(report, sim, other)
        differences += found
        compared |= bool(found or same)
        if same:
            typer.echo(f"{other.value}: the same cycles and counters for {same} of {len(report.results)} policies")
    if not compared:
        typer.echo("no other simulator's report of the same replay to compare with")
    return differences


def _compare_with(report: ReplayReport, sim: Simulator, other: Simulator) -> tuple[list[str], int]:
    """Return a line for each difference from the other's stored reports, and the number of those without one."""
    differences, same = [], 0
    for policy, document in report.documents().items():
        stored = _stored(_folder(other, report.plan) / policy / REPORT_JSON)
        if stored is None or not _same_replay(document, stored):
            continue
        found = [
            f"{report.plan.path.name}, {policy}: {part} {name} is {document[part].get(name)} on {sim.value}, "
            f"{stored[part].get(name)} on {other.value}"
            for part in ("cycles", "counters")
            for name in document[part]
            if document[part].get(name) != stored[part].get(name)
        ]
        differences += found
        same += not found
    return differences, same


def _stored(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _same_replay(document: dict[str, Any], stored: dict[str, Any]) -> bool:
    """Return whether two reports are of the same job, whatever simulator ran it."""
    parts = ("config", "tokens", "steps")
    if any(document[part] != stored.get(part) for part in parts):
        return False
    return document["trace"]["content_sha256"] == stored.get("trace", {}).get("content_sha256")


def _note(line: str) -> None:
    print(f"note: {line}", file=sys.stderr)

"""`moefetch replay`: a recorded trace through the unit's RTL, checked against the golden model, as a report."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..hw.unit_file import read_unit_config
from ..sim.energy_table import energy_prices, load_energy_table
from ..sim.golden.laws import LawBroken
from ..sim.jobs import ReplayPlan, build_jobs
from ..sim.model_spec import load_model
from ..sim.planning import AUTO_SCALE, DEFAULT_UNIT, parse_scale, plan_replay, read_trace
from ..sim.platform_spec import load_platform
from ..sim.policies import KNOWN_POLICIES, PolicyOptions, parse_policies
from ..sim.report import ReplayReport, require_writable
from ..sim.rtl_replay import replay_on_rtl, require_simulator
from ..sim.simulator import SimulationError
from ..traces.format import Trace
from .console import next_command, print_whole, progress, reports_errors
from .model_engine import replay_on_model

FAILED_STATUS = 1


class Victim(StrEnum):
    """What gives way, as in sim/policies.py."""

    LRU = "lru"
    LEAST_STALE = "least_stale"


class Abort(StrEnum):
    """When a wrong prefetch in flight is stopped, as in sim/policies.py."""

    NEVER = "never"
    HALF = "half"
    ALWAYS = "always"


DEFAULT_OUT = Path("build/replay")


class EngineName(StrEnum):
    """What can run a replay."""

    RTL = "rtl"
    MODEL = "model"


class Simulator(StrEnum):
    """What can run the RTL; native is Verilator's model without cocotb, for long replays."""

    VERILATOR = "verilator"
    ICARUS = "icarus"
    NATIVE = "native"


ENERGY_HELP = "Energies and areas (TOML) that replace entries of the built-in table, or add to it."
SIMULATOR_HELP = "The RTL's simulator; native: Verilator without cocotb, for long replays."


@reports_errors
def replay(
    trace: Annotated[
        Path, typer.Argument(metavar="TRACE", help="A trace (.parquet), or a recording that `trace import` reads.")
    ],
    model: Annotated[str, typer.Option(metavar="PRESET|FILE", help="The model.")] = "moefetch-small",
    platform: Annotated[str, typer.Option(metavar="PRESET|FILE", help="The machine.")] = "lpddr5x",
    policy: Annotated[
        str, typer.Option(metavar="NAME[,NAME..]|all", help=f"What prefetches: {', '.join(KNOWN_POLICIES)}.")
    ] = "all",
    engine: Annotated[
        EngineName, typer.Option(help="What runs the replay: the RTL, or the cycle model, its equal and far faster.")
    ] = EngineName.RTL,
    sim: Annotated[Simulator, typer.Option(help=SIMULATOR_HELP)] = Simulator.VERILATOR,
    tokens: Annotated[int | None, typer.Option(min=1, help="Replay the first N decode steps only.")] = None,
    scale: Annotated[
        str, typer.Option(metavar="N|auto", help="Divide bytes, cycles and latency by N; auto: the most that is valid.")
    ] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Sequences that share a step.")] = 1,
    unit: Annotated[
        str | None, typer.Option(metavar="PRESET|FILE", help="The unit; default: one that fits the model.")
    ] = None,
    experts: Annotated[
        int | None, typer.Option(min=1, help="Experts per layer, where a foreign recording does not say.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for report.json and report.csv.")] = DEFAULT_OUT,
    energy: Annotated[str | None, typer.Option(metavar="FILE", help=ENERGY_HELP)] = None,
    budget: Annotated[int | None, typer.Option(min=0, help="Prefetches per event (st_moe, hints).")] = None,
    victim: Annotated[Victim | None, typer.Option(help="What gives way; default lru.")] = None,
    abort: Annotated[Abort | None, typer.Option(help="Wrong prefetches in flight; default never.")] = None,
    hold_cycles: Annotated[int | None, typer.Option(min=0, help="How long st_moe_paper holds its set.")] = None,
    min_score: Annotated[int | None, typer.Option(min=0, max=255, help="Lowest score of a candidate.")] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE|none",
            help="Tables that `moefetch profile` wrote; one for each predictor. none: start from empty tables. "
            "Default: counted on the trace's last fifth.",
        ),
    ] = None,
) -> None:
    """Replay a trace through the RTL in lockstep with the golden model, and report what it cost."""
    policies = parse_policies(policy)
    options = PolicyOptions(budget, victim, abort, hold_cycles, min_score)
    options.require_users(policies)
    require_writable(out)
    if engine is EngineName.RTL:
        require_simulator(sim.value)
    with progress(f"reading {trace.name}"):
        rows = read_trace(trace, experts)
    plan = make_plan(
        trace, rows, model=model, platform=platform, policy=policy, scale=scale, unit=unit, tokens=tokens, batch=batch,
        profiles=profile, energy=energy,
    )  # fmt: skip
    with progress("counting the profile"):
        jobs = build_jobs(plan, policies, options, skipped=_note if policy == "all" else None)
    with failures_end_the_command(), progress(f"replaying {trace.name}") as show:
        if engine is EngineName.MODEL:
            results = replay_on_model(jobs, show=show)
        else:
            results = replay_on_rtl(jobs, simulator=sim.value, workers=1, show=show)
        report = ReplayReport(plan, results)
    written = report.write(out)
    print_report(report)
    typer.echo(f"wrote {', '.join(str(path) for path in written)}")
    if policy == "all":
        next_command("moefetch", "emit", "--out", "build/rtl")
    else:
        next_command(
            "moefetch", "replay", trace, "--model", model, "--platform", platform, "--policy", "all", "--out", out
        )


def make_plan(
    path: Path,
    trace: Trace,
    *,
    model: str,
    platform: str,
    policy: str,
    scale: str = AUTO_SCALE,
    unit: str | None = None,
    tokens: int | None = None,
    batch: int = 1,
    profiles: list[str] | None = None,
    energy: str | None = None,
) -> ReplayPlan:
    """Return the plan of a replay from what the options say; raises UserError naming what does not go together."""
    platform_spec = load_platform(platform)
    return plan_replay(
        path,
        trace,
        model=load_model(model),
        platform=platform_spec,
        policies=parse_policies(policy),
        scale=parse_scale(scale),
        unit=None if unit is None else read_unit_config(unit),
        unit_name=unit or DEFAULT_UNIT,
        tokens=tokens,
        batch=batch,
        profiles=profiles,
        prices=energy_prices(platform_spec, load_energy_table(energy)),
    )


def print_report(report: ReplayReport) -> None:
    """Print a report's table and what must be read with it."""
    print_whole(report.table())
    for line in report.caption():
        typer.echo(line)


@contextmanager
def failures_end_the_command() -> Iterator[None]:
    """Turn a difference between RTL and golden model, and a broken simulation, into their text and status 1."""
    from ..sim.rtl_engine import ReplayMismatch  # here, as it takes a second to import cocotb

    try:
        yield
    except (ReplayMismatch, LawBroken, SimulationError) as failure:
        print(f"failed: {failure}", file=sys.stderr)
        raise typer.Exit(FAILED_STATUS) from None


def _note(line: str) -> None:
    print(f"note: {line}", file=sys.stderr)

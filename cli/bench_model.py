"""`moefetch bench model`: how fast the cycle model runs."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from ..sim.jobs import build_jobs
from ..sim.model_bench import measure_model, model_document
from ..sim.policies import PolicyOptions, parse_policies
from ..sim.report import make_folder
from ..sim.rtl_replay import BUILD
from ..traces.atomic import replacing
from .console import progress, reports_errors
from .regress import SHIPPED
from .replay import make_plan, read_trace

RESULTS = BUILD / "bench"
TRACE = SHIPPED / "code.parquet"


@reports_errors
def model(
    trace: Annotated[
        Path, typer.Argument(metavar="TRACE", help="A trace, or a recording that can be imported.")
    ] = TRACE,
    model: Annotated[str, typer.Option(metavar="PRESET|FILE", help="The model.")] = "moefetch-small",
    platform: Annotated[str, typer.Option(metavar="PRESET|FILE", help="The machine.")] = "lpddr5x",
    policy: Annotated[str, typer.Option(metavar="NAME", help="What prefetches.")] = "st_moe",
    scale: Annotated[str, typer.Option(metavar="N|auto", help="As in `replay`.")] = "auto",
    tokens: Annotated[int | None, typer.Option(min=1, help="Decode steps of the trace; default all.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="Runs; the figure is their median.")] = 3,
) -> None:
    """Replay a trace on the cycle model: events per second of one core, compilation not included."""
    from ..sim.cycle_model.engine import run_model  # here, as it takes a second to import numba

    with progress(f"reading {trace.name}"):
        plan = make_plan(
            trace, read_trace(trace), model=model, platform=platform, policy=policy, scale=scale, tokens=tokens
        )
        job = build_jobs(plan, parse_policies(policy), PolicyOptions())[0]
    with progress(f"replaying {trace.name}, {runs + 1} times"):
        measured = measure_model(lambda: run_model(job), runs)
    what = {
        "trace": trace.name, "model": model, "platform": platform, "policy": policy,
        "scale": str(plan.workload.scale), "tokens": str(len(plan.replayed_rows)),
    }  # fmt: skip
    options = ["--model", model, "--platform", platform, "--policy", policy, "--scale", scale, "--runs", str(runs)]
    command = shlex.join(["moefetch", "bench", "model", str(trace), *options])
    document = model_document(measured, what=what, command=command)
    result = make_folder(RESULTS) / "model.json"
    with replacing(result) as path:
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    first = measured[0]
    typer.echo(", ".join(f"{name} {value}" for name, value in what.items()))
    typer.echo(f"{first.events:,} events, {first.cycles:,} cycles, median of {runs} runs, compilation not counted")
    typer.echo(f"{document['events_per_second']:,.0f} events/s of wall time")
    typer.echo(f"{document['events_per_cpu_second']:,.0f} events/s of user processor time")
    typer.echo(f"{document['cycles_per_cpu_second']:,.0f} simulated cycles/s of user processor time")
    typer.echo(f"{document['machine']}; load {document['load_average']:.1f}")
    typer.echo(f"wrote {result}")

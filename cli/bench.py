"""`moefetch bench`: how fast things run here."""

from __future__ import annotations

import json
import shlex
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from ..sim.bench import bench_document, measure
from ..sim.jobs import build_jobs
from ..sim.policies import PolicyOptions, parse_policies
from ..sim.report import make_folder
from ..sim.rtl_replay import BUILD, emit_harness, require_simulator
from ..traces.atomic import replacing
from .bench_area import area
from .bench_model import model
from .bench_predictor_area import predictor_area
from .bench_predictors import predictors
from .console import progress, reports_errors
from .regress import SHIPPED
from .replay import DEFAULT_UNIT, SIMULATOR_HELP, Simulator, failures_end_the_command, make_plan, read_trace

app = typer.Typer(no_args_is_help=True, help="Measure predictors, and how fast things run here.")
app.command()(area)
app.command()(model)
app.command()(predictor_area)
app.command()(predictors)
RESULTS = BUILD / "bench"
TRACE = SHIPPED / "code.parquet"
MODEL = "moefetch-small"
PLATFORM = "lpddr5x"


@app.callback()
def bench() -> None:
    """Measure how fast things run on this machine."""


@app.command()
@reports_errors
def rtl(
    sim: Annotated[Simulator, typer.Option(help=SIMULATOR_HELP)] = Simulator.VERILATOR,
    policy: Annotated[str, typer.Option(metavar="NAME", help="What prefetches.")] = "st_moe",
    tokens: Annotated[int, typer.Option(min=1, help="Decode steps of the trace.")] = 96,
    runs: Annotated[int, typer.Option(min=1, help="Runs; the figure is their median.")] = 3,
) -> None:
    """Replay a shipped trace on the default unit: simulated cycles per second, all included but the build."""
    require_simulator(sim.value)
    from ..sim.rtl_engine import run_rtl  # here, as it takes a second to import cocotb

    plan = make_plan(
        TRACE, read_trace(TRACE), model=MODEL, platform=PLATFORM, policy=policy, unit=DEFAULT_UNIT, tokens=tokens,
    )  # fmt: skip
    job = build_jobs(plan, parse_policies(policy), PolicyOptions())[0]
    folder = make_folder(RESULTS)
    with (
        failures_end_the_command(),
        progress(f"replaying {TRACE.name}, {runs + 1} times"),
        tempfile.TemporaryDirectory(prefix="bench-", dir=BUILD.resolve()) as scratch,
    ):
        verilog = emit_harness(job.unit)
        measured = measure(
            lambda: run_rtl(
                job, simulator=sim.value, build_root=BUILD / "simulators", work_dir=Path(scratch), verilog=verilog
            ),
            runs,
        )
    what = {
        "trace": TRACE.name, "model": MODEL, "platform": PLATFORM, "unit": DEFAULT_UNIT, "policy": policy,
        "tokens": str(tokens), "simulator": sim.value,
    }  # fmt: skip
    command = shlex.join(
        ["moefetch", "bench", "rtl", "--sim", sim, "--policy", policy, "--tokens", str(tokens), "--runs", str(runs)]
    )
    document = bench_document(measured, what=what, command=command)
    result = folder / f"rtl-{sim.value}.json"
    with replacing(result) as path:
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    _print(document, result)


def _print(document: dict[str, Any], result: Path) -> None:
    runs = document["runs"]
    typer.echo(", ".join(document["what"].values()))
    typer.echo(f"{runs[0]['cycles']:,} cycles, median of {len(runs)} runs, build not counted")
    typer.echo(f"{document['cycles_per_second']:,.0f} cycles/s of wall time")
    typer.echo(f"{document['cycles_per_cpu_second']:,.0f} cycles/s of user processor time")
    typer.echo(f"{document['machine']}; load {document['load_average']:.1f}")
    typer.echo(f"wrote {result}")

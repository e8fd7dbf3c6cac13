"""`moefetch sweep`: a grid of models, platforms, units and policies on the cycle model."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..sim.report import require_writable
from ..traces.errors import UserError
from .console import INTERRUPTED_STATUS, next_command, output, print_whole, reports_errors
from .work_progress import work_progress

if TYPE_CHECKING:
    from ..sim.sweep import Backend

DEFAULT_OUT = Path("build/sweep")


class BackendName(StrEnum):
    """Where points are run."""

    LOCAL = "local"
    DASK = "dask"


@reports_errors
def sweep(
    spec: Annotated[Path, typer.Argument(metavar="SPEC.toml", help="What to run: see docs/sweep.md.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for results.parquet and unfinished work.")] = (
        DEFAULT_OUT
    ),
    jobs: Annotated[int | None, typer.Option(min=1, help="Points at once on this machine; default: its cores.")] = None,
    backend: Annotated[BackendName, typer.Option(help="This machine's cores, or a Dask cluster.")] = BackendName.LOCAL,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Of the cluster, as tcp://host:8786.")] = (
        None
    ),
    top: Annotated[int, typer.Option(min=1, help="Rows of the table of the best points.")] = 10,
) -> None:
    """Run every combination of a sweep's values on the cycle model, and keep each result as it comes.

    A sweep that was stopped, in whatever way, goes on when the same command is run again. Two sweeps may not share DIR.
    """
    # The model's packages take a second to import: only commands that need them pay.
    from ..sim.point_store import PointStore
    from ..sim.sweep import run_missing
    from ..sim.sweep_points import points_of, read_traces
    from ..sim.sweep_spec import read_sweep_spec
    from ..sim.sweep_table import best_table, caption

    runs_on = choose_backend(backend, scheduler, jobs)
    wanted = read_sweep_spec(spec)
    require_writable(out)
    traces = read_traces(wanted.parameters["trace"])
    points = points_of(wanted, traces)
    digests = [point.digest for point in points]
    metadata = {"command": "sweep", "parameters": wanted.parameters, "points": len(points)}
    with PointStore.opened(out) as store:
        if store.is_finished(digests, metadata):
            ran = 0
        else:
            with keeps_results(out, spec), work_progress(f"sweeping {spec.name}", "points") as show:
                ran = run_missing(points, traces, store, runs_on, show)
            store.finish(digests, metadata)
        rows = store.rows(digests)
    show_points(best_table(rows, list(wanted.varied), top), caption(rows, wanted))
    typer.echo(f"{len(points)} points, {ran} run now, {len(points) - ran} had their results")
    typer.echo(f"wrote {out / 'results.parquet'}" if ran else f"{out / 'results.parquet'} is complete")
    next_command("moefetch", "explore", spec)


def show_points(table: Table, lines: list[str]) -> None:
    """Print a table of points, and what must be read with it."""
    print_whole(table)
    for line in lines:
        typer.echo(textwrap.fill(line, output().width, subsequent_indent="  ", break_on_hyphens=False))


def choose_backend(name: BackendName, scheduler: str | None, jobs: int | None) -> Backend:
    """Return what runs points; raises UserError for options that do not go together."""
    if name is BackendName.LOCAL:
        from ..sim.sweep import local_backend

        if scheduler is not None:
            raise UserError(f"--scheduler {scheduler}: is of no use here: only --backend dask takes it")
        return local_backend(jobs or usable_cores())
    from ..sim.dask_backend import dask_backend

    if scheduler is None:
        raise UserError("--backend dask: needs --scheduler ADDRESS, such as tcp://host:8786")
    if jobs is not None:
        raise UserError(f"--jobs {jobs}: is of no use here: a cluster's workers say how many points they take")
    return dask_backend(scheduler)


def usable_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def keeps_results(out: Path, spec: Path) -> Iterator[None]:
    """Say after an interrupt that what is finished is kept, and end with its status."""
    try:
        yield
    except KeyboardInterrupt:
        line = f"interrupted: finished points are kept in {out}; the same command goes on with {spec}"
        print(line, file=sys.stderr)
        raise typer.Exit(INTERRUPTED_STATUS) from None

"""`moefetch explore`: a search for the configurations that no other beats in time, link bytes and storage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..sim.report import require_writable
from .console import next_command, reports_errors
from .sweep import BackendName, choose_backend, keeps_results, show_points, usable_cores
from .work_progress import work_progress

DEFAULT_OUT = Path("build/explore")
SHOWN_REASONS = 3


@reports_errors
def explore(
    spec: Annotated[Path, typer.Argument(metavar="SPEC.toml", help="The space, as a sweep's file: see docs/sweep.md.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for results.parquet, front.json and the study.")
    ] = DEFAULT_OUT,
    trials: Annotated[int, typer.Option(min=1, help="Proposals in all, those of earlier runs included.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of the sampler.")] = 0,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Points at once on this machine, and proposals a batch; default: its cores."),
    ] = None,
    backend: Annotated[BackendName, typer.Option(help="This machine's cores, or a Dask cluster.")] = BackendName.LOCAL,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The cluster's, as tcp://host:8786.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Proposals at once; default: --jobs.")] = None,
) -> None:
    """Search a space for the Pareto front of TPOT, link bytes a token and bits of slots and tables.

    A search that was stopped, in whatever way, goes on when the same command is run again; so does a finished one when
    more trials are asked for.
    """
    # The model's packages and optuna take seconds to import: only commands that need them pay.
    from ..sim.explore import OBJECTIVES, Search, require_units
    from ..sim.front_report import front_table, shown_front, write_front
    from ..sim.point_store import PointStore
    from ..sim.sweep_points import read_traces
    from ..sim.sweep_spec import read_sweep_spec
    from ..sim.sweep_table import caption

    runs_on = choose_backend(backend, scheduler, jobs)
    wanted = read_sweep_spec(spec)
    require_units(wanted)
    require_writable(out)
    traces = read_traces(wanted.parameters["trace"])
    metadata = {"command": "explore", "parameters": wanted.parameters, "seed": seed, "searched": list(OBJECTIVES)}
    with PointStore.opened(out) as store:
        search = Search(wanted, traces, store, out, seed)
        with keeps_results(out, spec), work_progress(f"exploring {spec.name}", "trials") as show:
            replayed = search.run(trials, batch or jobs or usable_cores(), runs_on, show)
        rows, front = search.results()
        metadata |= {"trials": len(search.trials), "points": len(rows)}
        store.finish([row["point"] for row in rows], metadata, front_table(rows, front, metadata))
        written = write_front(rows, front, metadata, wanted, out)
    show_points(shown_front(rows, front, wanted), caption(rows, wanted))
    for reason in search.refused()[:SHOWN_REASONS]:
        typer.echo(f"refused: {reason}")
    typer.echo(
        f"{len(search.trials)} trials of {wanted.size} combinations, {len(rows)} points, {replayed} replayed now"
    )
    typer.echo(f"wrote {out / 'results.parquet'}, {written}")
    next_command("moefetch", "sweep", spec)

"""`moefetch trace`: import, record, measure and check expert traces."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..traces.errors import UserError
from ..traces.importers.base import ImportOptions
from ..traces.importers.table import IMPORTERS, import_trace
from ..traces.stats import TraceStats, file_stats
from ..traces.validate import validate_file
from ..traces.writer import write_trace
from .console import next_command, output, progress, reports_errors
from .trace_record import record

app = typer.Typer(no_args_is_help=True, help="Import, record, measure and check expert traces.")
app.command()(reports_errors(record))

_FORMATS = "; ".join(f"{importer.name}: {importer.description}" for importer in IMPORTERS)

TracePath = Annotated[Path, typer.Argument(metavar="TRACE", help="A trace file (.parquet).")]


@app.command("import")
@reports_errors
def import_(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="The published file or folder.")],
    out: Annotated[Path, typer.Option(help="The trace file to write (.parquet).")],
    format_name: Annotated[
        str | None, typer.Option("--format", help=f"The source's format; detected from content. {_FORMATS}.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model's name.")] = None,
    experts: Annotated[
        int | None, typer.Option(min=1, help="Experts per layer, where the source does not say.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="Experts per token, where the source does not say.")] = None,
    licence: Annotated[str, typer.Option(help="The source's licence, kept in the trace.")] = "not stated",
    keep_order: Annotated[
        bool, typer.Option("--keep-order", help="Leave experts in the source's order, not best score first.")
    ] = False,
) -> None:
    """Make a trace of a published recording."""
    options = ImportOptions(model, experts, top_k, licence, keep_order)
    if source.exists() and out.exists() and source.samefile(out):
        raise UserError(f"{out}: is the source: the output must be another file")
    with progress(f"importing {source.name}"):
        trace = import_trace(source, format_name, options)
        meta = write_trace(out, trace)
    geometry = f"{meta.n_layers} layers, {meta.n_experts} experts, top-{meta.top_k}"
    typer.echo(f"{out}: {meta.model}, {len(trace)} tokens, {geometry}, content {meta.content_sha256[:12]}")
    next_command("moefetch", "trace", "stats", out)


@app.command()
@reports_errors
def stats(
    trace: TracePath,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Print a trace's size, locality, cross-layer predictability and load."""
    with progress(f"reading {trace.name}") as show:
        figures = file_stats(trace, show)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(figures), indent=2))
    else:
        _print_stats(trace, figures)
    next_command("moefetch", "trace", "validate", trace)


def _print_stats(trace: Path, figures: TraceStats) -> None:
    table = Table(title=trace.name, show_header=False)
    for name, text in (
        ("tokens", f"{figures.tokens}, figures over {figures.measured}"),
        ("sequences", str(figures.sequences)),
        ("geometry", f"{figures.layers} layers x {figures.experts} experts, top-{figures.top_k}"),
        ("overlap with the previous token", _share(figures.overlap)),
        ("cross-layer recall at k", _share(figures.cross_layer_recall)),
        ("hint recall", _share(figures.hint_recall)),
    ):
        table.add_row(name, text)
    load = Table(title="load of each layer's experts")
    for heading in ("layer", "max / mean", "entropy / even", "unused"):
        load.add_column(heading, justify="right")
    for layer in figures.load:
        cells = (str(layer.layer), f"{layer.max_over_mean:.2f}", f"{layer.entropy:.3f}", str(layer.unused))
        load.add_row(*cells)
    console = output()
    console.print(table)
    console.print(load)


def _share(value: float | None) -> str:
    return "none: the trace cannot tell" if value is None else f"{value:.3f}"


@app.command()
@reports_errors
def validate(trace: TracePath) -> None:
    """Check that a file is a recording of a model's routing, and name every place where it is not."""
    with progress(f"checking {trace.name}") as show:
        report = validate_file(trace, show)
    for finding in report.findings:
        typer.echo(str(finding))
    if not report.valid:
        raise UserError(f"{trace}: not a trace: {report.summary()}")
    typer.echo(f"{trace}: valid, {report.rows} tokens")
    next_command("moefetch", "predict", trace, "--predictor", "st_moe")

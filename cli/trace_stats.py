"""`moefetch trace stats`: what is in a trace, and whether there is anything to cache or to prefetch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..traces.atomic import replacing
from ..traces.errors import UserError
from .console import next_command, output, progress

if TYPE_CHECKING:
    from ..sim.trace_report import TraceReport

STANDARD_OUTPUT = Path("-")
WIDE = 100
"""Columns of a terminal that has room for wider tables."""


def stats(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="A trace file (.parquet).")],
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write all figures as JSON; - for standard output, without tables."
        ),
    ] = None,
    html_file: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write a page with plots, which needs no network (extra `report`)."
        ),
    ] = None,
) -> None:
    """Measure a trace: locality, predictability, hit rates by cache size, and a verdict in words.

    Caches of every size are replayed at once: LRU, and Belady's ceiling.
    Predictors are profiled on the first half of the tokens and scored on the second.
    Every figure is printed with its formula; the verdict comes last.
    Example: moefetch trace stats my.parquet --json my.json --html my.html
    """
    _check_outputs(trace, json_file, html_file)
    with ExitStack() as outputs:  # a file that cannot be written is found before the work, and appears whole after it
        json_out = None
        if json_file is not None and json_file != STANDARD_OUTPUT:
            json_out = outputs.enter_context(replacing(json_file))
        html_out = None if html_file is None else outputs.enter_context(replacing(html_file))
        report = _measure(trace)
        if json_out is not None:
            json_out.write_text(_json(report) + "\n", encoding="utf-8")
        if html_out is not None:
            html_out.write_text(_html(report), encoding="utf-8")
    if json_file == STANDARD_OUTPUT:
        typer.echo(_json(report))
    else:
        _print_tables(report)
    next_command("moefetch", "trace", "validate", trace)


def _check_outputs(trace: Path, json_file: Path | None, html_file: Path | None) -> None:
    named = [(option, file) for option, file in (("--json", json_file), ("--html", html_file)) if file is not None]
    for option, file in named:
        if file.exists() and trace.exists() and file.samefile(trace):
            raise UserError(f"{option} {file}: is the trace: the output must be another file")
    if json_file is not None and json_file == html_file:
        raise UserError(f"--html {html_file}: is the file of --json too: each needs its own")
    if html_file is not None:
        from ..sim.html_page import require_report_packages

        require_report_packages()


def _measure(trace: Path) -> TraceReport:
    # Numba takes half a second to import: the commands that do not need it start without.
    from ..sim.trace_report import trace_report

    with progress(f"measuring {trace.name}") as show:
        return trace_report(trace, show)


def _json(report: TraceReport) -> str:
    return json.dumps(report.document(), indent=2)


def _html(report: TraceReport) -> str:
    from ..sim.trace_page import trace_page

    return trace_page(report).render()


def _print_tables(report: TraceReport) -> None:
    from ..sim.trace_figures import TRACE_FIGURES
    from ..sim.trace_tables import hidden_rows, layer_rows, size_rows, summary_rows
    from ..sim.trace_verdict import verdict

    console = output()
    console.print(_words(report.name, ("figure", "value", "what it says"), summary_rows(report)))
    console.print(_numbers("layers", *layer_rows(report)))
    console.print(_numbers("hit rates by cache size", *size_rows(report)))
    if report.curve.hidden:
        title = "share of LRU's misses hidden by a prefetch (useless loads for each)"
        console.print(_numbers(title, *hidden_rows(report)))
    meanings = [(name, figure.label, figure.formula) for name, figure in TRACE_FIGURES.items()]
    console.print(_words("what the figures mean", ("figure", "label", "formula"), meanings))
    lines = Table.grid(padding=(0, 1))
    for line in verdict(report):
        lines.add_row("-", line)
    console.print("verdict", style="bold")
    console.print(lines)


def _words(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = _table(title, padding=1)
    for index, heading in enumerate(headings):
        table.add_column(heading, no_wrap=index < len(headings) - 1)
    for row in rows:
        table.add_row(*row)
    return table


def _numbers(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = _table(title, padding=int(output().width >= WIDE))
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _table(title: str, padding: int) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, padding, 0, 0))

"""`moefetch trace import`: make a trace of a published recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..traces.atomic import not_among
from ..traces.importers.base import ImportOptions
from ..traces.importers.source import STANDARD_INPUT
from ..traces.importers.table import IMPORTERS, import_file
from .console import next_command, progress

_FORMATS = "; ".join(f"{importer.name}: {importer.description}" for importer in IMPORTERS)
_FINDINGS_SHOWN = 5


def import_(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SRC...",
            help="Files, folders or archives (tar, zip) of one format, also compressed (gz, bz2, xz, zst, lz4); "
            "- for standard input.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The trace file to write (.parquet).")],
    format_name: Annotated[
        str | None, typer.Option("--format", help=f"The source's format; detected from content. {_FORMATS}.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model's name.")] = None,
    experts: Annotated[
        int | None, typer.Option(min=1, help="Experts per layer, where the source does not say.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="Experts per token, where the source does not say.")] = None,
    licence: Annotated[str | None, typer.Option(help="The source's licence, kept in the trace.")] = None,
    keep_order: Annotated[
        bool, typer.Option("--keep-order", help="Leave experts in the source's order, not best score first.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write even what is not a recording, with its defects in the provenance.")
    ] = False,
) -> None:
    """Make a trace of a published recording, and check that it is one."""
    options = ImportOptions(model, experts, top_k, licence, keep_order)
    not_among(out, (source for source in sources if source != STANDARD_INPUT))
    with progress(f"importing {sources[0].name}, bytes") as show:
        meta, report = import_file(sources, out, format_name, options, force=force, on_bytes=show)
    for finding in report.findings[:_FINDINGS_SHOWN]:
        typer.echo(f"defect: {finding}", err=True)
    geometry = f"{meta.n_layers} layers, {meta.n_experts} experts, top-{meta.top_k}"
    typer.echo(f"{out}: {meta.model}, {report.rows} tokens, {geometry}, content {meta.content_sha256[:12]}")
    next_command("moefetch", "trace", "stats", out)

"""`moefetch trace convert|slice|merge|split`: other files of the same recording, with its provenance."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..traces.convert import FORMATS, convert_trace
from ..traces.errors import UserError
from ..traces.format import TraceMeta
from ..traces.merging import merge_traces
from ..traces.slicing import Selection, parse_sequences, slice_trace, split_trace
from .console import next_command, progress

TracePath = Annotated[Path, typer.Argument(metavar="TRACE", help="A trace file (.parquet).")]
_OUTPUTS = "; ".join(f"{suffix}: {what}" for suffix, what in FORMATS.items())


class Phase(StrEnum):
    """The phase of a row."""

    PREFILL = "prefill"
    DECODE = "decode"


def convert(
    trace: TracePath,
    out: Annotated[Path, typer.Option(help=f"The file to write; its suffix says what. {_OUTPUTS}.")],
    drop: Annotated[list[str] | None, typer.Option(help="Leave this optional column out; may be repeated.")] = None,
) -> None:
    """Write a trace in another format, or without some of its columns."""
    with progress(f"converting {trace.name}") as show:
        rows = convert_trace(trace, out, drop or (), show)
    typer.echo(f"{out}: {rows} tokens")
    if out.suffix == ".parquet":
        next_command("moefetch", "trace", "validate", out)
    else:
        next_command("moefetch", "trace", "import", out, "--out", f"{out.stem}.imported.parquet")


def slice_(
    trace: TracePath,
    out: Annotated[Path, typer.Option(help="The trace file to write.")],
    sequences: Annotated[str | None, typer.Option(help="Sequence numbers and ranges, such as 0-9,15.")] = None,
    phase: Annotated[Phase | None, typer.Option(help="Rows of this phase only.")] = None,
    domain: Annotated[
        list[str] | None, typer.Option(help="Sequences of this domain, or below it (d has d/e); may be repeated.")
    ] = None,
) -> None:
    """Write the rows of a trace that fit all of sequences, phase and domain."""
    if sequences is None and phase is None and not domain:
        raise UserError("slice: nothing selected: state --sequences, --phase or --domain")
    ranges = () if sequences is None else parse_sequences(sequences)
    selection = Selection(ranges, None if phase is None else phase.value, tuple(domain or ()))
    with progress(f"slicing {trace.name}") as show:
        meta, rows = slice_trace(trace, out, selection, show)
    _report(out, meta, rows)
    next_command("moefetch", "trace", "stats", out)


def merge(
    traces: Annotated[list[Path], typer.Argument(metavar="TRACE...", help="Trace files of one model, two or more.")],
    out: Annotated[Path, typer.Option(help="The trace file to write.")],
) -> None:
    """Put traces of one model together; a sequence of a file without domains gets the file's name as its own."""
    with progress("merging") as show:
        meta, rows = merge_traces(traces, out, show)
    _report(out, meta, rows)
    next_command("moefetch", "trace", "stats", out)


def split(
    trace: TracePath,
    train: Annotated[Path, typer.Option(help="The training part to write.")],
    test: Annotated[Path, typer.Option(help="The test part to write.")],
    test_share: Annotated[float, typer.Option(help="Share of the sequences in the test part, above 0, below 1.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Another seed gives other parts; the same seed always the same.")] = 0,
) -> None:
    """Split a trace by sequence into a part to train predictors on and a part to judge them on."""
    with progress(f"splitting {trace.name}") as show:
        parts = split_trace(trace, (train, test), test_share, seed, show)
    for out, (meta, rows) in zip((train, test), parts, strict=True):
        _report(out, meta, rows)
    next_command("moefetch", "predict", test, "--predictor", "st_moe")


def _report(out: Path, meta: TraceMeta, rows: int) -> None:
    typer.echo(f"{out}: {meta.model}, {rows} tokens, content {meta.content_sha256[:12]}")

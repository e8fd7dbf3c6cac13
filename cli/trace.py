"""`moefetch trace`: import, record, measure, check and edit expert traces."""

from __future__ import annotations

import typer

from ..traces.errors import UserError
from ..traces.validate import validate_file
from .console import next_command, progress, reports_errors
from .trace_edit import TracePath, convert, merge, slice_, split
from .trace_import import import_
from .trace_record import record
from .trace_stats import stats

app = typer.Typer(no_args_is_help=True, help="Import, record, measure, check and edit expert traces.")


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


app.command("import")(reports_errors(import_))
app.command()(reports_errors(record))
app.command()(reports_errors(stats))
app.command()(validate)
app.command()(reports_errors(convert))
app.command("slice")(reports_errors(slice_))
app.command()(reports_errors(merge))
app.command()(reports_errors(split))

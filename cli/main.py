"""The `moefetch` command: one Typer application that gathers the groups of commands."""

import typer

from . import bench, doctor, emit, predict, regress, replay, trace

app = typer.Typer(no_args_is_help=True, help="An expert prefetch unit for MoE models: trace, replay, emit.")
app.add_typer(trace.app, name="trace")
app.add_typer(bench.app, name="bench")
app.command("predict")(predict.predict)
app.command("replay")(replay.replay)
app.command("regress")(regress.regress)
app.command("emit")(emit.emit)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command line."""
    app()

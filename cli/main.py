"""The `moefetch` command: one Typer application that gathers the groups of commands."""

import sys

import typer

from . import bench, compare, doctor, emit, explore, fpga, predict, profile, regress, replay, report, sweep, trace

app = typer.Typer(no_args_is_help=True, help="An expert prefetch unit for MoE models: trace, replay, emit.")
app.add_typer(trace.app, name="trace")
app.add_typer(bench.app, name="bench")
app.command("predict")(predict.predict)
app.command("profile")(profile.profile)
app.command("replay")(replay.replay)
app.command("compare")(compare.compare)
app.command("sweep")(sweep.sweep)
app.command("explore")(explore.explore)
app.command("report")(report.report)
app.command("regress")(regress.regress)
app.command("emit")(emit.emit)
app.command("fpga")(fpga.fpga)
app.command("doctor")(doctor.doctor)


USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]
"""What Typer raises for a wrong option or argument; it exports only this subclass."""


def main() -> None:
    """Run the command line; a wrong option, like any other mistake, gives one line and status 2."""
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    try:
        status = app(standalone_mode=False)
    except USAGE_ERROR as error:
        context = getattr(error, "ctx", None)
        message = " ".join(str(getattr(error, "format_message", error.__str__)()).split())
        if not message:  # a group without a command has printed its help
            sys.exit(0)
        message = message.removesuffix(".").replace("Value error, ", "")
        print(f"error: {message} (see {context.command_path if context else 'moefetch'} --help)", file=sys.stderr)
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)

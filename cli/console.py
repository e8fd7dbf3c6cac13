"""What every command shares: how it shows progress, reports a user's mistake, and names the next command."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from typing import ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..traces.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")

USER_ERROR_STATUS = 2
INTERRUPTED_STATUS = 130
MOST_WIDTH = 1000
"""Columns that the widest table may need."""


def output() -> Console:
    """The console for results, on standard output."""
    return Console(highlight=False)


def print_whole(table: Table) -> None:
    """Print a table as wide as it is: cut figures are of no use, so where it does not fit its lines run on."""
    console = output()
    needed = Measurement.get(console, console.options.update(width=MOST_WIDTH), table).maximum
    console.width = max(console.width, needed)
    console.print(table)


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command: what the user can mend becomes one line and status 2, an interrupt one and 130."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except UserError as error:
            _fail(f"error: {' '.join(str(error).split())}")
            raise typer.Exit(USER_ERROR_STATUS) from None
        except BrokenPipeError:
            raise  # whoever read the output has gone: no mistake to report
        except OSError as error:
            if error.filename is None:
                raise
            _fail(f"error: {error.filename}: {error.strerror}")
            raise typer.Exit(USER_ERROR_STATUS) from None
        except KeyboardInterrupt:
            _fail("interrupted: nothing was written")
            raise typer.Exit(INTERRUPTED_STATUS) from None

    return wrapped


@contextmanager
def progress(description: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error if that is a terminal; gives the function `(done, total)` that moves it.

    Until that is first called the bar only shows that work goes on.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show


def next_command(*words: str | PathLike[str]) -> None:
    """Name the command to run next, on standard error, so that standard output stays the result alone."""
    print(f"next: {shlex.join(str(word) for word in words)}", file=sys.stderr)


def _fail(line: str) -> None:
    print(line, file=sys.stderr)

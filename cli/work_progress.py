"""Progress of long work: a bar with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_SECONDS = 30
"""Least time between two lines where there is no terminal."""


class TimeLeft:
    """Estimates the time left from what was done since the first call: what a resumed run finds done took no time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, int] | None = None

    def seconds(self, done: int, total: int) -> float | None:
        """Return the estimate, None as long as nothing was done."""
        now = self._clock()
        if self._first is None:
            self._first = now, done
        began, had = self._first
        return None if done == had else (now - began) / (done - had) * (total - done)


@contextmanager
def work_progress(description: str, what: str) -> Iterator[Callable[[int, int], None]]:
    """Give the function `(done, total)` that shows, on standard error, how much is done and the time left."""
    console = Console(stderr=True)
    left = TimeLeft()
    if not console.is_terminal:
        yield _lines(description, what, left)
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(description, total=None, left="")

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, left=_words(left.seconds(done, total)))

        yield show


def _lines(description: str, what: str, left: TimeLeft) -> Callable[[int, int], None]:
    latest = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal latest
        text = _words(left.seconds(done, total))
        if done < total and time.monotonic() - latest < LINE_SECONDS:
            return
        latest = time.monotonic()
        print(
            f"{description}: {done} of {total} {what}" + (f", {text}" if text and done < total else ""), file=sys.stderr
        )

    return show


def _words(seconds: float | None) -> str:
    """Say a time left, rounded as such estimates deserve."""
    if seconds is None:
        return ""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"about {round(seconds / size)} {unit} left"
    return f"about {round(seconds)} s left"

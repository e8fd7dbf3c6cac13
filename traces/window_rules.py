"""Rules of speculative recordings: what a verification window can look like."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .format import Trace
from .row_rules import Finding, finding


class WindowOrder:
    """A window's rows follow each other, and nothing stays that comes after a rejected token.

    Within a window positions grow by one, its first token (the target's own) is accepted and a token after a
    rejected one is not; a sequence's window numbers grow; a token outside of windows is accepted.
    """

    def __init__(self) -> None:
        self._last: Trace | None = None

    def update(self, batch: Trace) -> Iterator[Finding]:
        """Rows that break their window."""
        if batch.window is None or batch.accepted is None:
            return
        joined = batch if self._last is None else Trace.concatenate([self._last, batch])
        own = np.arange(len(joined)) >= len(joined) - len(batch)
        self._last = joined.select(slice(len(joined) - 1, None))
        window, accepted, starts = joined.window, joined.accepted, joined.sequence_starts()
        assert window is not None and accepted is not None
        inside = window >= 0
        change = np.r_[True, window[1:] != window[:-1]] | starts
        before = np.r_[np.int32(-1), window[:-1]]
        steps = np.diff(joined.position.astype(np.int64), prepend=0)
        after_rejection = ~change & ~np.r_[True, accepted[:-1]]
        for wrong, rule, detail in (
            (inside & ~change & (steps != 1), "window with a gap", "positions of a window must grow by one"),
            (inside & change & ~accepted, "window not begun", "its first token must be accepted"),
            (inside & accepted & after_rejection, "accepted after a rejection", "nothing after it in a window stays"),
            (inside & change & ~starts & (window < before), "window order", "a sequence's window numbers must grow"),
            (~inside & ~accepted, "rejected outside of a window", "only a window rejects a token"),
        ):
            for row in np.flatnonzero(wrong & own):
                yield finding(joined, rule, row, None, f"window {window[row]}: {detail}")

    def finish(self) -> Iterator[Finding]:
        """Nothing: every finding is in a row."""
        yield from ()

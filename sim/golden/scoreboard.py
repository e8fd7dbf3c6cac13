"""What all checks of the commit log share: the place in it, the comparison, and records that are due."""

from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

from ...hw.records import Kind, Record
from .mismatch import OUTCOMES, Mismatch, describe, name_value

HISTORY = 20
"""Records that a mismatch shows."""


class Scoreboard:
    """Takes a log record by record, and stops at the first that differs.

    A subclass gives a method for each kind (`_close`, `_classify`, ..) that compares and applies the record.
    `current` is the number of the last event that closed, -1 before the first; `_due` holds (kind, what it is
    about) of records that must come next, before any other.
    """

    def __init__(self) -> None:
        self.current = -1
        self._due: deque[tuple[int, Any]] = deque()
        self._history: deque[Record] = deque(maxlen=HISTORY)
        self._index = -1
        self._cycle: int | None = None
        self._previous_kind = -1
        self._handlers: dict[int, Callable[[Record], None]] = {
            kind: getattr(self, f"_{kind.name.lower()}") for kind in Kind
        }

    def check(self, record: Record, cycle: int | None = None) -> None:
        """Compare the next record of the log, committed in `cycle` if known, and follow it.

        Takes about 5 us. Raises `Mismatch` at any difference; the model is then of no further use.
        """
        self._history.append(record)
        self._index += 1
        self._cycle = cycle
        kind = record.kind
        due = self._due
        if due and due[0][0] != kind and not self._may_precede(kind, due[0][0]):
            self._fail("kind", Kind(due[0][0]).name, describe(record))
        handler = self._handlers.get(kind)
        if handler is None:
            self._fail("kind", "one of Kind", str(kind))
        handler(record)
        self._previous_kind = kind

    def _may_precede(self, kind: int, due: int) -> bool:
        """Return whether a record may come although one of kind `due` is waited for."""
        raise NotImplementedError

    def _compare(self, expected: Record, found: Record) -> None:
        """Raise at the first field that differs."""
        if expected == found:
            return
        for field, wanted, value in zip(Record._fields, expected, found, strict=True):
            if wanted != value:
                enum = OUTCOMES.get(expected.kind) if field == "outcome" else None
                self._fail(field, f"{name_value(enum, wanted)} ({describe(expected)})", name_value(enum, value))

    def _refuse(self, rule: str, record: Record) -> NoReturn:
        """Raise because the record must not come now."""
        self._fail("order", rule, describe(record))

    def _fail(self, field: str, expected: str, found: str) -> NoReturn:
        raise Mismatch(
            field, expected, found,
            event=self.current, index=self._index, cycle=self._cycle, history=self._history,
        )  # fmt: skip

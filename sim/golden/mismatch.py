"""The scoreboard's verdict: where the unit and the golden model part, and what led there."""

from collections.abc import Iterable
from enum import IntEnum

from ...hw.records import Class, Expiry, Fill, Filter, GrantStatus, Issue, Kind, Record, Sweep

OUTCOMES: dict[int, type[IntEnum]] = {
    Kind.CLASSIFY: Class,
    Kind.EXPIRE: Expiry,
    Kind.CANDIDATE: Filter,
    Kind.ISSUE: Issue,
    Kind.FILL: Fill,
    Kind.RELEASE: GrantStatus,
    Kind.FREE: Sweep,
    Kind.ABORT: Sweep,
    Kind.PIN: Sweep,
}
"""Encoding of `outcome` for each kind of record that has one."""


def name_value(enum: type[IntEnum] | None, value: int) -> str:
    """Return the name of `value` in `enum`, or the number where it has none."""
    try:
        return enum(value).name if enum else str(value)
    except ValueError:
        return str(value)


def describe(record: Record) -> str:
    """Return a record on one line, encodings by name and fields that are 0 left out."""
    words = [name_value(Kind, record.kind)]
    if record.kind in OUTCOMES:
        words.append(name_value(OUTCOMES[record.kind], record.outcome))
    elif record.outcome:
        words.append(f"outcome={record.outcome}")
    fields = ("layer", "expert", "slot", "score", "source", "deadline")
    return " ".join(words + [f"{field}={getattr(record, field)}" for field in fields if getattr(record, field)])


class Mismatch(Exception):  # noqa: N818 - a verdict on the unit, not an error of the program
    """The unit did what the golden model does not: one field or the order of a record, or a grant.

    `event` is the number of the last event that closed (-1: none), `index` the record's place in the log
    from 0, `cycle` its cycle where known, `history` the last records with the offending one at the end.
    """

    def __init__(
        self,
        field: str,
        expected: str,
        found: str,
        *,
        event: int,
        index: int,
        cycle: int | None,
        history: Iterable[Record],
    ):
        self.field = field
        self.expected = expected
        self.found = found
        self.event = event
        self.index = index
        self.cycle = cycle
        self.history = tuple(history)
        place = f"event {event}, record {index}" + ("" if cycle is None else f", cycle {cycle}")
        first = index - len(self.history) + 1
        lines = [f"  {first + offset}: {describe(record)}" for offset, record in enumerate(self.history)]
        verdict = f"{place}: {field}: expected {expected}, found {found}"
        super().__init__("\n".join([verdict, "last records:", *lines]))

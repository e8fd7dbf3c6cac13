"""Timelines: what a replay committed and granted in which cycle, and where two of them part."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

from ...hw.config import UnitConfig
from ...hw.records import Class, Expiry, Fill, Filter, GrantStatus, Issue, Kind, Record, Sweep
from ..replay_result import ReplayJob
from ..wire import decode_grant
from . import fields as f
from .engine import run_machine
from .machine import Machine, build_machine
from .records import GRANT

CONTEXT = 12
"""Entries shown before the first difference; half as many after it."""
OUTCOMES = {
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


class Grant(NamedTuple):
    """A grant that a processing element took."""

    layer: int
    expert: int
    slot: int
    status: int


class Entry(NamedTuple):
    """Something that showed in a cycle."""

    cycle: int
    what: Record | Grant

    def __str__(self) -> str:
        """Return one line for a reader."""
        if isinstance(self.what, Grant):
            layer, expert, slot, status = self.what
            return f"{self.cycle:>8}  grant taken {GrantStatus(status).name:15} expert {layer}.{expert} slot {slot}"
        record, kind = self.what, Kind(self.what.kind)
        outcome = OUTCOMES[kind](record.outcome).name if kind in OUTCOMES else str(record.outcome)
        return (
            f"{self.cycle:>8}  {kind.name:11} {outcome:15} expert {record.layer}.{record.expert} slot {record.slot} "
            f"score {record.score} source {record.source} event {record.deadline}"
        )


def timeline_of_log(text: str, unit: UnitConfig) -> list[Entry]:
    """Return the timeline that the RTL's bench has logged."""
    entries = []
    for line in text.splitlines():
        kind, cycle, word = line.split()
        value = int(word, 16)
        entries.append(Entry(int(cycle), Record.decode(value) if kind == "C" else Grant(*decode_grant(unit, value))))
    return in_order(entries)


def timeline_of_model(job: ReplayJob) -> tuple[list[Entry], Machine]:
    """Run the cycle model with its log on; return its timeline and its end state."""
    machine = run_machine(job, build_machine(job, logging=True))
    rows = machine.store.log[: machine.mem[f.R_LOGGED]].tolist()
    return in_order(_entry(row) for row in rows), machine


def _entry(row: list[int]) -> Entry:
    if row[f.O_KIND] == GRANT:
        return Entry(row[f.O_CYCLE], Grant(row[f.O_LAYER], row[f.O_EXPERT], row[f.O_SLOT], row[f.O_OUTCOME]))
    return Entry(row[f.O_CYCLE], Record(*row[f.O_KIND : f.N_LOG]))


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return a timeline by cycle, commits before grants: they are logged by different parts."""
    return sorted(entries, key=lambda entry: (entry.cycle, isinstance(entry.what, Grant)))


def first_difference(expected: Sequence[Entry], found: Sequence[Entry]) -> str:
    """Return both timelines around the place where they part, side by side line by line; empty if they are equal."""
    pairs = enumerate(zip_longest(expected, found))
    place = next((place for place, (one, other) in pairs if one != other), None)
    if place is None:
        return ""
    lines = [f"timelines part at entry {place}; '=' both, 'R' the RTL's, 'M' the model's"]
    lines += [f"= {entry}" for entry in expected[max(0, place - CONTEXT) : place]]
    for mark, timeline in (("R", expected), ("M", found)):
        lines += [f"{mark} {entry}" for entry in timeline[place : place + CONTEXT // 2]] or [f"{mark} (ends here)"]
    return "\n".join(lines)

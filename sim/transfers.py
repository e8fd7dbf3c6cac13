"""Every transfer of an observed replay: when it was issued, complete and used, and whether it was of use."""

from dataclasses import dataclass
from enum import StrEnum

from ..hw.records import Class, Fill, Issue, Kind
from .cycle_model import fields as f
from .cycle_model.observe import Observation

ISSUES = frozenset({Issue.FREE, Issue.EVICT, Issue.OWN_RELEASED})
"""Outcomes of an ISSUE that begin a transfer."""
USES = frozenset({Class.HIT_ON_TARGET, Class.HIT_LATER_USE})


class Fate(StrEnum):
    """What a transfer was good for."""

    DEMAND = "demand"
    """Fetched because an event waited for it."""
    USED = "useful prefetch"
    """Prefetched, and an event came with it, in time or late."""
    WASTED = "wasted prefetch"
    """Prefetched, and given up unused."""
    OPEN = "prefetch not used yet"
    """Prefetched, and still there when the observation ended."""


@dataclass
class Transfer:
    """An expert's way into a slot; cycles as in the commit log. `target` is the number of the event it is for.

    `filled` is None while it is under way; `used` is the close of the event that first used a prefetch, or met it in
    flight; None for a demand fetch.
    """

    layer: int
    expert: int
    slot: int
    target: int
    issued: int
    fate: Fate
    filled: int | None = None
    used: int | None = None

    @property
    def slack(self) -> int | None:
        """Cycles from a prefetch's completion to its use, negative for one that came later; None without both."""
        return None if self.filled is None or self.used is None else self.used - self.filled


def transfers_of(observation: Observation) -> list[Transfer]:
    """Return all transfers in the order in which they were issued."""
    found: list[Transfer] = []
    in_slot: dict[int, Transfer] = {}
    for row in observation.log.tolist():
        kind, outcome, slot = row[f.O_KIND], row[f.O_OUTCOME], row[f.O_SLOT]
        if kind == Kind.ISSUE and outcome in ISSUES:
            _give_up(in_slot.get(slot))
            transfer = Transfer(
                row[f.O_LAYER], row[f.O_EXPERT], slot, row[f.O_DEADLINE], row[f.O_CYCLE],
                Fate.OPEN if row[f.O_SOURCE] else Fate.DEMAND,
            )  # fmt: skip
            in_slot[slot] = transfer
            found.append(transfer)
        elif kind == Kind.FREE:
            _give_up(in_slot.pop(slot, None))
        elif slot in in_slot:
            _advance(in_slot[slot], kind, outcome, row[f.O_CYCLE])
    return found


def _give_up(transfer: Transfer | None) -> None:
    if transfer is not None and transfer.fate is Fate.OPEN:
        transfer.fate = Fate.WASTED


def _advance(transfer: Transfer, kind: int, outcome: int, cycle: int) -> None:
    if kind == Kind.FILL and outcome == Fill.DONE:
        transfer.filled = cycle
    elif kind == Kind.CLASSIFY and transfer.fate is Fate.OPEN and (outcome in USES or outcome == Class.LATE):
        transfer.fate, transfer.used = Fate.USED, cycle

"""The event between its close and its end: who misses, who is granted, who is still to be released."""

from collections import deque
from typing import NamedTuple

from .directory import Slot
from .event import Event


class Grant(NamedTuple):
    """One grant of the unit; a release gives it back. An error grant names the slot that failed."""

    layer: int
    expert: int
    slot: int
    status: int


class OpenEvent:
    """Progress of one event.

    `misses` is the demand queue, oldest first; `waits` is set while its first must not search; `granted` has
    the grants that are out.
    """

    __slots__ = ("granted", "layer", "members", "misses", "unreleased", "waits")

    def __init__(self, event: Event):
        self.layer = event.layer
        self.members = frozenset(event.members)
        self.misses: deque[int] = deque()
        self.waits = False
        self.granted: dict[int, tuple[Grant, Slot]] = {}
        self.unreleased = len(event.members)

    def has(self, layer: int, expert: int) -> bool:
        """Return whether this expert is a member."""
        return layer == self.layer and expert in self.members

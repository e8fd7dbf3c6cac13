"""Prefetch queue: nearest deadline first, then best score, then lowest expert."""

from bisect import insort
from typing import NamedTuple


class QueueEntry(NamedTuple):
    """A prefetch that waits for the DMA."""

    deadline: int
    score: int
    layer: int
    expert: int
    source: int


def _rank(entry: QueueEntry) -> tuple[int, int, int]:
    return entry.deadline, -entry.score, entry.expert


class PrefetchQueue:
    """At most `depth` entries with distinct keys, in `entries` from first to last."""

    __slots__ = ("_depth", "_keys", "entries")

    def __init__(self, depth: int):
        self._depth = depth
        self._keys: set[tuple[int, int]] = set()
        self.entries: list[QueueEntry] = []

    def __len__(self) -> int:
        return len(self.entries)

    def holds(self, layer: int, expert: int) -> bool:
        """Return whether this expert is queued, for whatever deadline."""
        return (layer, expert) in self._keys

    def insert(self, entry: QueueEntry) -> QueueEntry | None:
        """Queue `entry` behind its equals; return what overflows, which may be `entry` itself."""
        insort(self.entries, entry, key=_rank)
        self._keys.add((entry.layer, entry.expert))
        if len(self.entries) <= self._depth:
            return None
        dropped = self.entries.pop()
        self._keys.remove((dropped.layer, dropped.expert))
        return dropped

    def pop_first(self) -> QueueEntry:
        """Take out the first entry."""
        entry = self.entries.pop(0)
        self._keys.remove((entry.layer, entry.expert))
        return entry

    def flush(self) -> list[QueueEntry]:
        """Take out all entries."""
        entries, self.entries = self.entries, []
        self._keys.clear()
        return entries

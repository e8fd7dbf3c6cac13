"""Hit rates of a trace against cache size: LRU, Belady's ceiling, and what prefetching one layer ahead could add."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .belady_distance import BeladyStack, next_uses
from .event_keys import NO_KEY, event_keys, largest_event
from .lru_distance import LruStack
from .named_experts import is_among

CHUNK_EVENTS = 1 << 16
"""Events between two reports of progress, and two chances to interrupt."""
CURVE_POINTS = 60
DISTANCE_BINS = 4
"""Bins of the reuse distance in a token cycle."""


@dataclass(frozen=True)
class CacheCurve:
    """Figures at each size of `slots`, ascending from the largest event to all experts.

    `token_cycle` is layers x top-k slots and `n_keys` all experts of all layers. `demand` counts the distinct experts
    of all events, `first_uses` those that had not been used before, `lru` and `belady` are hit rates over all events
    from an empty cache. `hidden` is the share of LRU's misses of the scored events that the predictor names, and
    `useless` the experts that it names, the cache does not hold and the event does not select, for each one hidden;
    None where nothing is missed or hidden. `distance_share[i]` is the share of the demand with an LRU distance in
    [i, i+1) / 4 token cycles.
    """

    token_cycle: int
    n_keys: int
    demand: int
    first_uses: int
    slots: tuple[int, ...]
    lru: tuple[float, ...]
    belady: tuple[float, ...]
    hidden: tuple[float | None, ...]
    useless: tuple[float | None, ...]
    distance_share: tuple[float, ...]

    def at(self, slots: int) -> int:
        """Return the place of a size in `slots`."""
        return self.slots.index(slots)

    def with_prefetch(self, index: int) -> float | None:
        """Return the hit rate if every hidden miss were a hit and useless loads cost nothing."""
        hidden = self.hidden[index]
        return None if hidden is None else 1 - (1 - self.lru[index]) * (1 - hidden)


def round_sizes(token_cycle: int, n_keys: int, smallest: int) -> dict[float, int]:
    """Return token cycles -> slots for the sizes that tables show, below all experts; each can hold an event."""
    multiples = [0.5, 1, 1.5, 2, 3, 4, 6, *(2.0**power for power in range(3, 12))]
    sizes = {multiple: round(multiple * token_cycle) for multiple in multiples}
    return {multiple: slots for multiple, slots in sizes.items() if smallest <= slots < n_keys}


def cache_curve(
    experts: NDArray[np.uint16],
    n_experts: int,
    token_cycle: int,
    named: NDArray[np.uint16] | None,
    on_events: Callable[[int, int], None] | None = None,
) -> CacheCurve:
    """Replay `experts` [T, L, K] through caches of all sizes; `on_events(done, total)` is told the progress.

    `named` [S, L, M] are what a predictor names for the events of the last S tokens, known one event ahead; None
    leaves out what prefetching could hide. Takes about 16 bytes of memory for each selected expert.
    """
    keys = event_keys(experts, n_experts)
    n_keys = experts.shape[1] * n_experts
    counts = _Counts(keys, n_keys)
    named_keys = np.empty((0, 0), np.int32) if named is None else event_keys(named, n_experts)
    first_scored = len(keys) - len(named_keys)
    for begin in range(0, len(keys), CHUNK_EVENTS):
        end = min(begin + CHUNK_EVENTS, len(keys))
        asked = np.full((end - begin, named_keys.shape[1]), NO_KEY, np.int32)
        if end > first_scored:
            scored = max(begin, first_scored)
            asked[scored - begin :] = named_keys[scored - first_scored : end - first_scored]
        counts.add(slice(begin, end), asked, max(0, first_scored - begin))
        if on_events is not None:
            on_events(end, len(keys))
    return counts.curve(token_cycle)


class _Counts:
    """Numbers of demanded and of named experts by their distance; index `n_keys` counts those in no cache."""

    def __init__(self, keys: NDArray[np.int32], n_keys: int):
        self._keys, self._n_keys = keys, n_keys
        self._smallest = max(1, largest_event(keys))
        self._following = next_uses(keys, n_keys)
        self._lru_stack = LruStack(n_keys, keys.shape[1])
        self._belady_stack = BeladyStack(n_keys, keys.shape[1])
        self._lru, self._belady, self._scored, self._hidden, self._useless = np.zeros((5, n_keys + 1), np.int64)

    def add(self, events: slice, asked: NDArray[np.int32], first_scored: int) -> None:
        """Count some events; of these, `asked` are named from row `first_scored` on."""
        keys = self._keys[events]
        present = keys != NO_KEY
        distance, asked_distance = self._lru_stack.distances(keys, asked)
        self._lru += self._histogram(distance[present])
        self._belady += self._histogram(self._belady_stack.distances(keys, self._following[events])[present])
        keys, distance, asked, present = (a[first_scored:] for a in (keys, distance, asked, present))
        self._scored += self._histogram(distance[present])
        self._hidden += self._histogram(distance[is_among(keys, asked) & present])
        useless = (asked != NO_KEY) & ~is_among(asked, keys)
        self._useless += self._histogram(asked_distance[first_scored:][useless])

    def _histogram(self, distances: NDArray[np.int32]) -> NDArray[np.int64]:
        return np.bincount(distances, minlength=self._n_keys + 1)

    def curve(self, token_cycle: int) -> CacheCurve:
        grid = np.linspace(self._smallest, self._n_keys, CURVE_POINTS).round().astype(int).tolist()
        round_slots = round_sizes(token_cycle, self._n_keys, self._smallest).values()
        slots = np.array(sorted({*grid, *round_slots}))
        demand = int(self._lru.sum())
        missed, hidden, useless = (_at_or_beyond(c, slots) for c in (self._scored, self._hidden, self._useless))
        return CacheCurve(
            token_cycle=token_cycle,
            n_keys=self._n_keys,
            demand=demand,
            first_uses=int(self._lru[-1]),
            slots=tuple(slots.tolist()),
            lru=tuple((1 - _at_or_beyond(self._lru, slots) / max(1, demand)).tolist()),
            belady=tuple((1 - _at_or_beyond(self._belady, slots) / max(1, demand)).tolist()),
            hidden=_ratios(hidden, missed),
            useless=_ratios(useless, hidden),
            distance_share=self._distance_share(token_cycle),
        )

    def _distance_share(self, token_cycle: int) -> tuple[float, ...]:
        place = np.arange(self._n_keys) * DISTANCE_BINS // token_cycle
        return tuple((np.bincount(place, self._lru[:-1]) / max(1, self._lru.sum())).tolist())


def _at_or_beyond(counts: NDArray[np.int64], slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each size how many have a distance that it does not hold."""
    return counts.sum() - np.cumsum(counts)[slots - 1]


def _ratios(part: NDArray[np.int64], whole: NDArray[np.int64]) -> tuple[float | None, ...]:
    return tuple(p / w if w else None for p, w in zip(part.tolist(), whole.tolist(), strict=True))

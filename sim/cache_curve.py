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
    from an empty cache. For each predictor, `hidden` is the share of LRU's misses of the scored events that it names,
    and `useless` the experts that it names, the cache does not hold and the event does not select, for each one
    hidden; None where nothing is missed or hidden, and where an event and what is named for the next do not both fit.
    `distance_share[i]` is the share of the demand with an LRU distance in [i, i+1) / 4 token cycles.
    """

    token_cycle: int
    n_keys: int
    demand: int
    first_uses: int
    slots: tuple[int, ...]
    lru: tuple[float, ...]
    belady: tuple[float, ...]
    hidden: dict[str, tuple[float | None, ...]]
    useless: dict[str, tuple[float | None, ...]]
    distance_share: tuple[float, ...]

    def at(self, slots: int) -> int:
        """Return the place of a size in `slots`."""
        return self.slots.index(slots)

    def best_predictor(self, index: int) -> str | None:
        """Return the predictor that hides most at one size, None if none hides any."""
        found = {name: shares[index] or 0.0 for name, shares in self.hidden.items()}
        best = max(found, key=lambda name: found[name], default=None)
        return best if best is not None and found[best] > 0 else None

    def with_prefetch(self, index: int) -> float | None:
        """Return the hit rate if every miss that the best predictor names were a hit, and useless loads were free."""
        best = self.best_predictor(index)
        hidden = self.hidden[best][index] if best is not None else None
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
    named: dict[str, NDArray[np.uint16]],
    on_events: Callable[[int, int], None] | None = None,
) -> CacheCurve:
    """Replay `experts` [T, L, K] through caches of all sizes; `on_events(done, total)` is told the progress.

    `named` holds for each predictor [S, L, M]: what it names for the events of the last S tokens, one event ahead.
    Takes about 12 bytes of memory for each selected expert, and 4 for each named one.
    """
    keys = event_keys(experts, n_experts)
    n_keys = experts.shape[1] * n_experts
    named_keys = {name: event_keys(names, n_experts) for name, names in named.items()}
    first_scored = len(keys) - max((len(rows) for rows in named_keys.values()), default=0)
    counts = _Counts(keys, n_keys, named_keys, first_scored)
    for begin in range(0, len(keys), CHUNK_EVENTS):
        counts.add(begin, min(begin + CHUNK_EVENTS, len(keys)))
        if on_events is not None:
            on_events(min(begin + CHUNK_EVENTS, len(keys)), len(keys))
    return counts.curve(token_cycle)


class _Counts:
    """Numbers of demanded and of named experts by their distance; index `n_keys` counts those in no cache."""

    def __init__(
        self, keys: NDArray[np.int32], n_keys: int, named: dict[str, NDArray[np.int32]], first_scored: int
    ) -> None:
        self._keys, self._n_keys, self._named, self._first_scored = keys, n_keys, named, first_scored
        self._smallest = max(1, largest_event(keys))
        self._following = next_uses(keys, n_keys)
        self._lru_stack = LruStack(n_keys, keys.shape[1])
        self._belady_stack = BeladyStack(n_keys, keys.shape[1])
        self._lru, self._belady, self._scored = np.zeros((3, n_keys + 1), np.int64)
        self._hidden = {name: np.zeros(n_keys + 1, np.int64) for name in named}
        self._useless = {name: np.zeros(n_keys + 1, np.int64) for name in named}

    def add(self, begin: int, end: int) -> None:
        """Count the events from `begin` to before `end`, those not scored and the scored ones apart."""
        border = min(max(begin, self._first_scored), end)
        self._count(slice(begin, border), {})
        scored = slice(border - self._first_scored, end - self._first_scored)
        self._count(slice(border, end), {name: rows[scored] for name, rows in self._named.items()})

    def _count(self, events: slice, named: dict[str, NDArray[np.int32]]) -> None:
        keys = self._keys[events]
        present = keys != NO_KEY
        asked = np.concatenate([np.empty((len(keys), 0), np.int32), *named.values()], axis=1)
        distance, asked_distance = self._lru_stack.distances(keys, asked)
        demanded = self._histogram(distance[present])
        self._lru += demanded
        self._belady += self._histogram(self._belady_stack.distances(keys, self._following[events])[present])
        if not named:
            return
        self._scored += demanded
        widths = [rows.shape[1] for rows in named.values()]
        parts = np.split(asked_distance, np.cumsum(widths)[:-1], axis=1)
        for (name, rows), row_distance in zip(named.items(), parts, strict=True):
            self._hidden[name] += self._histogram(distance[is_among(keys, rows) & present])
            useless = (rows != NO_KEY) & ~is_among(rows, keys)
            self._useless[name] += self._histogram(row_distance[useless])

    def _histogram(self, distances: NDArray[np.int32]) -> NDArray[np.int64]:
        return np.bincount(distances, minlength=self._n_keys + 1)

    def curve(self, token_cycle: int) -> CacheCurve:
        grid = np.linspace(self._smallest, self._n_keys, CURVE_POINTS).round().astype(int).tolist()
        round_slots = round_sizes(token_cycle, self._n_keys, self._smallest).values()
        slots = np.array(sorted({*grid, *round_slots}))
        demand = int(self._lru.sum())
        return CacheCurve(
            token_cycle=token_cycle,
            n_keys=self._n_keys,
            demand=demand,
            first_uses=int(self._lru[-1]),
            slots=tuple(slots.tolist()),
            lru=tuple((1 - _beyond(self._lru, slots) / max(1, demand)).tolist()),
            belady=tuple((1 - _beyond(self._belady, slots) / max(1, demand)).tolist()),
            hidden={name: self._share(name, self._hidden, self._scored, slots) for name in self._named},
            useless={name: self._share(name, self._useless, self._hidden[name], slots) for name in self._named},
            distance_share=self._distance_share(token_cycle),
        )

    def _share(
        self, name: str, part: dict[str, NDArray[np.int64]], whole: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> tuple[float | None, ...]:
        fits = slots >= self._smallest + self._named[name].shape[1]
        counts = zip(_beyond(part[name], slots).tolist(), _beyond(whole, slots).tolist(), fits.tolist(), strict=True)
        return tuple(p / w if w and fit else None for p, w, fit in counts)

    def _distance_share(self, token_cycle: int) -> tuple[float, ...]:
        place = np.arange(self._n_keys) * DISTANCE_BINS // token_cycle
        return tuple((np.bincount(place, self._lru[:-1]) / max(1, self._lru.sum())).tolist())


def _beyond(counts: NDArray[np.int64], slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each size how many have a distance that it does not hold."""
    return counts.sum() - np.cumsum(counts)[slots - 1]

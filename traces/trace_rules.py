"""Rules that only many rows together can break: what keeps the row rules and still is not a recording."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .format import ABSENT, Trace, TraceMeta
from .overlap import RowCarry, previous_token_overlap
from .row_rules import Finding, finding

REPEATED_LAYER_SHARE = 0.9
"""Rows in which two layers select the same set before one counts as a copy of the other. Real models reach
0.12 (Qwen3-30B-A3B has layers 12 apart that agree that often)."""
REPEATED_LAYER_ROWS = 16
IDENTICAL_ROWS = 16
"""Rows in a run that is called a warm-up. No published trace that we read repeats a row even once."""
_DEVIATIONS = 3.0
"""Standard errors within which two overlaps count as equal."""
_NEEDED_POWER = 0.25
"""The order is judged only if those standard errors are under this share of the shuffled overlap; in real
traces consecutive tokens overlap more than shuffled ones by 0.4 of it or more."""
_NEEDED_PAIRS = 64
"""Consecutive pairs below which the standard error itself is not known well enough."""

_SET_HASH = np.random.default_rng(0).integers(1, 1 << 63, ABSENT + 1, dtype=np.uint64)
_SET_HASH[ABSENT] = 0


def set_hashes(batch: Trace) -> NDArray[np.uint64]:
    """[T, L]: a number per set of experts, the same for the same set in any order, 0 for the empty set."""
    return _SET_HASH[batch.experts].sum(2, dtype=np.uint64)


class RepeatedLayer:
    """No layer holds the rows of another layer."""

    def __init__(self, meta: TraceMeta) -> None:
        self._equal = np.zeros((meta.n_layers, meta.n_layers), np.int64)
        self._first: dict[tuple[int, int], tuple[int, int]] = {}
        self._rows = 0
        self._choice = meta.top_k < meta.n_experts

    def update(self, batch: Trace) -> Iterator[Finding]:
        """Count the rows in which each pair of layers has the same set."""
        self._rows += len(batch)
        sets = np.ascontiguousarray(set_hashes(batch).T)
        for layer, own in enumerate(sets):
            equal = (sets[layer + 1 :] == own) & (own != 0)
            counts = self._equal[layer, layer + 1 :]
            for later in np.flatnonzero((counts == 0) & equal.any(1)):
                row = int(equal[later].argmax())
                self._first[layer, layer + 1 + int(later)] = (int(batch.sequence[row]), int(batch.position[row]))
            counts += equal.sum(1)
        yield from ()

    def finish(self) -> Iterator[Finding]:
        """Pairs of layers that are equal in nearly all rows."""
        if self._rows < REPEATED_LAYER_ROWS or not self._choice:
            return
        for layer, later in np.argwhere(self._equal >= REPEATED_LAYER_SHARE * self._rows):
            place = self._first[int(layer), int(later)]
            count = self._equal[layer, later]
            detail = f"has layer {layer}'s experts in {count} of {self._rows} rows, from this one on"
            yield Finding("repeated layer", *place, int(later), detail)


class IdenticalRows:
    """No long run of rows of one sequence selects the same experts in all layers (a warm-up does)."""

    def __init__(self, meta: TraceMeta) -> None:
        self._mix = np.random.default_rng(1).integers(1, 1 << 63, meta.n_layers, dtype=np.uint64) | np.uint64(1)
        self._carry = RowCarry()
        self._length = 1
        self._choice = meta.top_k < meta.n_experts

    def update(self, batch: Trace) -> Iterator[Finding]:
        """Runs that reach the limit in this batch, named by the row where they reach it."""
        joined = self._carry.join(batch)
        rows = (set_hashes(joined) * self._mix).sum(1, dtype=np.uint64)
        same = np.zeros(len(joined), bool)
        same[1:] = (rows[1:] == rows[:-1]) & ~joined.sequence_starts()[1:]
        for row in self._places(same, len(joined) - len(batch)) if self._choice else ():
            detail = f"the {IDENTICAL_ROWS}th row in a run with the same experts: must differ (warm-up?)"
            yield finding(joined, "identical rows", row, None, detail)

    def _places(self, same: NDArray[np.bool_], first: int) -> Iterator[int]:
        """The rows from `first` on at which a run reaches the limit."""
        if self._length == 1 and not same[first:].any():
            return
        for row in range(first, len(same)):
            self._length = self._length + 1 if same[row] else 1
            if self._length == IDENTICAL_ROWS:
                yield row

    def finish(self) -> Iterator[Finding]:
        """Nothing: a run is found where it grows long."""
        yield from ()


class LostOrder:
    """Consecutive tokens overlap more, or less, than tokens of the same sequence in random order.

    The shuffled overlap is exact, not sampled: for an expert selected c times in n rows of a sequence, two
    rows drawn at random both select it with probability c(c-1) / (n(n-1)).
    """

    def __init__(self, meta: TraceMeta) -> None:
        self._meta = meta
        self._carry = RowCarry()
        self._observed = np.zeros(3)  # their number, their sum, the sum of their squares
        self._shuffled = 0.0
        self._pairs = 0
        self._counts = np.zeros((meta.n_layers, meta.n_experts + 1), np.int64)
        self._rows = 0
        self._first: tuple[int, int] | None = None

    def update(self, batch: Trace) -> Iterator[Finding]:
        """Add the batch's consecutive overlaps, and its sequences' counts."""
        joined = self._carry.join(batch)
        starts = joined.sequence_starts()[1:]
        shares = previous_token_overlap(joined)[~starts]
        known = ~np.isnan(shares)
        observed = np.where(known, shares, 0)[known.any(1)].sum(1) / known.sum(1)[known.any(1)]
        self._observed += [len(observed), observed.sum(), np.square(observed).sum()]
        if self._first is None:
            self._first = (int(batch.sequence[0]), int(batch.position[0]))
        cuts = np.flatnonzero(starts) + 1 - (len(joined) - len(batch))
        edges = [0, *cuts[cuts >= 0].tolist(), len(batch)]
        for begin, end in itertools.pairwise(edges):
            if begin in cuts:
                self._close_sequence()
            self._count(batch.experts[begin:end])
        yield from ()

    def _count(self, experts: NDArray[np.uint16]) -> None:
        width = self._meta.n_experts + 1
        ids = np.minimum(experts, width - 1) + np.arange(self._meta.n_layers)[:, None] * width
        self._counts += np.bincount(ids.reshape(-1), minlength=self._counts.size).reshape(self._counts.shape)
        self._rows += len(experts)

    def _close_sequence(self) -> None:
        n, counts = self._rows, self._counts[:, :-1].astype(np.float64)
        layers = counts.sum(1) > 0
        if n > 1 and layers.any():
            size = counts.sum(1)[layers] / n
            shared = (counts * (counts - 1)).sum(1)[layers] / (n * (n - 1))
            self._shuffled += (n - 1) * float((shared / size).mean())
            self._pairs += n - 1
        self._counts[:] = 0
        self._rows = 0

    def finish(self) -> Iterator[Finding]:
        """The trace's order, if its consecutive overlap cannot be told from the shuffled one."""
        self._close_sequence()
        n, total, squares = self._observed.tolist()
        if n < _NEEDED_PAIRS or self._first is None:
            return
        shuffled, mean = self._shuffled / self._pairs, total / n
        tolerance = _DEVIATIONS * max(0.0, squares / n - mean**2) ** 0.5 / n**0.5
        if abs(mean - shuffled) < tolerance < _NEEDED_POWER * shuffled:
            found = f"consecutive tokens share {mean:.4f} of their experts"
            detail = f"{found}, shuffled ones {shuffled:.4f} (+-{tolerance:.4f}): must differ"
            yield Finding("order lost", *self._first, None, detail)

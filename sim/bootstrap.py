"""Confidence intervals by the bootstrap over sequences (Efron, Tibshirani, An Introduction to the Bootstrap, ch. 13).

Tokens of one sequence depend on each other, sequences hardly: so whole sequences are drawn, with replacement.
"""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEED = 20260922
"""Of every bootstrap: the same trace gives the same intervals."""
RESAMPLES = 1000
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """What a figure is between, with the confidence of the bootstrap."""

    low: float
    high: float


def draw_sequences(n_sequences: int) -> NDArray[np.int64]:
    """Return [RESAMPLES, n_sequences]: how often each sequence is in each resample of as many sequences."""
    drawn = np.random.default_rng(SEED).integers(0, n_sequences, (RESAMPLES, n_sequences))
    rows = np.repeat(np.arange(RESAMPLES), n_sequences)
    counts = np.bincount(rows * n_sequences + drawn.ravel(), minlength=RESAMPLES * n_sequences)
    return counts.reshape(RESAMPLES, n_sequences)


def resampled_percentiles(
    values: NDArray[np.int64], sequence: NDArray[np.int64], draws: NDArray[np.int64], shares: Sequence[float]
) -> NDArray[np.int64]:
    """Return [len(draws), len(shares)]: nearest-rank percentiles of each resample; `sequence` is that of each value."""
    order = np.argsort(values, kind="stable")
    ordered, owner = values[order], sequence[order]
    found = np.empty((len(draws), len(shares)), np.int64)
    for place, counts in enumerate(draws):
        ranks = np.cumsum(counts[owner])
        wanted = [max(1, ceil(share * int(ranks[-1]))) for share in shares]
        found[place] = ordered[np.searchsorted(ranks, wanted)]
    return found


def percentile_interval(values: list[float | None]) -> Interval | None:
    """Return the middle part of the resamples' figures; None if one of them has no value."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(known, [tail, 1 - tail]).tolist()
    return Interval(low, high)

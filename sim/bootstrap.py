"""Confidence intervals by the bootstrap over sequences (Efron, Tibshirani, An Introduction to the Bootstrap, ch. 13).

Tokens of one sequence depend on each other, sequences hardly: so whole sequences are drawn, with replacement.
"""

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


def percentile_interval(values: list[float | None]) -> Interval | None:
    """Return the middle part of the resamples' figures; None if one of them has no value."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(known, [tail, 1 - tail]).tolist()
    return Interval(low, high)

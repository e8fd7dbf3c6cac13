"""Candidates from outside: recorded look-ahead hints of a trace, such as the next layer's router run early.

The executable specification of the unit's hint port for a horizon of one event.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...hw.records import Source
from .interface import MAX_SCORE, Candidate, PredictorEvent, ranked_candidates

ABSENT = 0xFFFF
"""The trace format's id of an absent hint."""


def quantise_scores(scores: NDArray[Any]) -> NDArray[np.uint8]:
    """Return scores 0 to 1 as 8-bit integers: 255 * score, clipped to 0..255, halves rounded up; NaN is 0."""
    scaled = np.nan_to_num(np.asarray(scores, np.float64), nan=0.0) * MAX_SCORE
    return np.floor(np.clip(scaled, 0, MAX_SCORE) + 0.5).astype(np.uint8)


def rank_scores(hints: NDArray[Any]) -> NDArray[np.uint8]:
    """Return scores for hints recorded without any: 255 for the first place, one less for each further."""
    places = np.maximum(MAX_SCORE - np.arange(hints.shape[-1]), 0).astype(np.uint8)
    return np.broadcast_to(places, hints.shape)


class Hints:
    """Name for the next event the experts that the trace hints for it.

    `hints` is [T, L, H] expert ids: the hints *for* layer l of token t, 0xFFFF for an absent one;
    `hint_scores` [T, L, H] (0 to 1) or None, when the order of the hints is their score. Event n is layer
    n mod L of token n // L (one token a step). An expert hinted twice keeps its higher score.
    """

    def __init__(self, hints: NDArray[Any], hint_scores: NDArray[Any] | None):
        if hints.ndim != 3 or (hint_scores is not None and hint_scores.shape != hints.shape):
            raise ValueError(f"hints must be [T, L, H] with scores of the same shape, not {hints.shape}")
        self._hints = hints
        self._scores = rank_scores(hints) if hint_scores is None else quantise_scores(hint_scores)

    def step(self, event: PredictorEvent) -> list[Candidate]:
        """Return the hints for the event after `event`; none after the trace's last."""
        target = event.event + 1
        token, layer = divmod(target, self._hints.shape[1])
        if token >= len(self._hints):
            return []
        scores: dict[int, int] = {}
        hinted = zip(self._hints[token, layer].tolist(), self._scores[token, layer].tolist(), strict=True)
        for expert, score in hinted:
            if expert != ABSENT:
                scores[expert] = max(score, scores.get(expert, 0))
        return ranked_candidates(target, layer, scores, Source.HINT)

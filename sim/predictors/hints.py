"""Candidates from outside: recorded look-ahead hints of a trace, such as the next layer's router run early.

The executable specification of what a replay feeds into the unit's hint port.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...hw.records import Source
from ...traces.format import ABSENT
from .interface import MAX_SCORE, Candidate, PredictorEvent, ranked_candidates


def quantise_scores(scores: NDArray[Any]) -> NDArray[np.uint8]:
    """Return scores 0 to 1 as 8-bit integers: 255 * score, clipped to 0..255, halves rounded up; NaN is 0."""
    clipped = np.clip(np.nan_to_num(np.asarray(scores, np.float64), nan=0.0), 0, 1)
    return np.floor(clipped * MAX_SCORE + 0.5).astype(np.uint8)


def rank_scores(hints: NDArray[Any]) -> NDArray[np.uint8]:
    """Return scores for hints recorded without any: 255 for the first place, one less for each further."""
    places = np.maximum(MAX_SCORE - np.arange(hints.shape[-1]), 0).astype(np.uint8)
    return np.broadcast_to(places, hints.shape)


class Hints:
    """Name, as soon as layer l of a token is routed, the experts hinted for layer l + `horizon` of it.

    `hints` is [T, L, H] expert ids: the hints *for* layer l of token t, 0xFFFF for an absent one;
    `hint_scores` [T, L, H] (0 to 1) or None, when the order of the hints is their score. Event n is layer
    n mod L of token n // L (one token a step). Hints do not wrap to the next token. An expert hinted twice
    keeps its higher score.
    """

    def __init__(self, hints: NDArray[Any], hint_scores: NDArray[Any] | None, *, horizon: int = 1):
        if hints.ndim != 3 or (hint_scores is not None and hint_scores.shape != hints.shape):
            raise ValueError(f"hints must be [T, L, H] with scores of the same shape, not {hints.shape}")
        if horizon < 1:
            raise ValueError(f"horizon must be 1 or more, not {horizon}")
        self._hints = hints
        self._scores = rank_scores(hints) if hint_scores is None else quantise_scores(hint_scores)
        self._horizon = horizon

    def step(self, event: PredictorEvent) -> list[Candidate]:
        """Return the hints for the layer `horizon` layers on; none past the last layer."""
        n_layers = self._hints.shape[1]
        layer = event.layer + self._horizon
        if layer >= n_layers:
            return []
        token = event.event // n_layers
        hinted = zip(self._hints[token, layer].tolist(), self._scores[token, layer].tolist(), strict=True)
        scores: dict[int, int] = {}
        for expert, score in hinted:
            if expert != ABSENT:
                scores[expert] = max(score, scores.get(expert, 0))
        return ranked_candidates(event.event + self._horizon, layer, scores, Source.HINT)

"""The baseline of every temporal predictor: a layer selects what it selected for the previous token."""

from ...hw.records import Source
from .interface import Candidate, PredictorEvent, ranked_candidates

PREVIOUS_SCORE = 2
"""The score that ST-MoE gives an expert of its history table; here it is the only score."""


class PreviousToken:
    """Predict for the next event the experts that its layer selected for the previous token.

    `n_layers` is 1 or more. The history is void at a sequence start; the last layer predicts layer 0.
    """

    def __init__(self, n_layers: int):
        if n_layers < 1:
            raise ValueError(f"n_layers must be 1 or more, not {n_layers}")
        self._history: list[tuple[int, ...]] = [()] * n_layers

    def step(self, event: PredictorEvent) -> list[Candidate]:
        """Return the next layer's previous experts, by id; then remember this layer's."""
        if event.sequence_start:
            self._history = [()] * len(self._history)
        target = (event.layer + 1) % len(self._history)
        scores = dict.fromkeys(self._history[target], PREVIOUS_SCORE)
        self._history[event.layer] = event.members
        return ranked_candidates(event.event + 1, target, scores, Source.PREDICTOR)

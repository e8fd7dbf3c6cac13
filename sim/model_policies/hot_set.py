"""Static hot set: the experts that the profile's tokens used most keep the slots."""

import numpy as np

from ..key_ranking import KeyRanking
from .base import BEST_SCORE, Candidates, ModelPolicy, PolicyInput


def _hottest(told: PolicyInput) -> Candidates:
    """Name at each event as many experts of the next layer as the slots hold of each layer, hottest first."""
    share = min(told.n_experts, max(1, told.n_slots // told.n_layers))
    hottest = np.argsort(-told.uses, axis=1, kind="stable")[:, :share]
    event = np.repeat(np.arange(len(told.events)), share)
    following = (told.events.layer.astype(np.int64) + 1) % told.n_layers
    score = np.maximum(0, BEST_SCORE - np.arange(share)).astype(np.uint8)
    return Candidates(
        event,
        np.repeat(following, share).astype(np.uint8),
        hottest[following].reshape(-1).astype(np.uint16),
        np.tile(score, len(told.events)),
    )


HOT_SET = ModelPolicy(
    "hot_set",
    "the experts that the profile used most, kept resident; others pass through",
    names=_hottest,
    ranks=lambda told: KeyRanking("fixed", told.uses),
)

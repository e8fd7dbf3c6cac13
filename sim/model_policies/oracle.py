"""The oracle: the true sets of coming events, over the real link."""

import numpy as np

from .base import Candidates, ModelPolicy, PolicyInput, name_sets


def _next_sets(told: PolicyInput, horizon: int) -> Candidates:
    """Name the set `horizon` events ahead; the first event also those between."""
    count = len(told.events)
    ahead = np.arange(count) + horizon
    event = np.concatenate([np.zeros(horizon - 1, np.int64), np.arange(count)])
    source = np.concatenate([np.arange(1, horizon), ahead])
    known = source < count
    return name_sets(told, event[known], source[known])


ORACLE = ModelPolicy(
    "oracle", "the true set of the next event, prefetched over the real link", names=lambda told: _next_sets(told, 1)
)
ORACLE_FAR = ModelPolicy(
    "oracle_far",
    "the true sets of all coming events within the unit's horizon",
    names=lambda told: _next_sets(told, told.horizon),
)

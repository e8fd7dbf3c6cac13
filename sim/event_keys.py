"""The events of a trace as rows of expert keys, which is what the cache analyses read."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..traces.format import ABSENT

NO_KEY = -1
"""Where an event has no expert: absent, or a second mention."""


def event_keys(experts: NDArray[Any], n_experts: int) -> NDArray[np.int32]:
    """Return [T * L, K] keys `layer * n_experts + expert` of `experts` [T, L, K], a row an event, in replay order.

    `NO_KEY` stands for an absent expert (0xFFFF) and for the second mention of one in its event, so that each row
    holds distinct keys.
    """
    n_tokens, n_layers, width = experts.shape
    first = np.arange(n_layers, dtype=np.int32)[:, None] * n_experts
    keys = np.where(experts == ABSENT, np.int32(NO_KEY), experts + first).reshape(n_tokens * n_layers, width)
    for later in range(1, width):
        for earlier in range(later):
            keys[keys[:, later] == keys[:, earlier], later] = NO_KEY
    return keys


def largest_event(keys: NDArray[np.int32]) -> int:
    """Return the size of the largest event; the smallest cache that holds every event has that many slots."""
    return int((keys != NO_KEY).sum(axis=1).max(initial=0))

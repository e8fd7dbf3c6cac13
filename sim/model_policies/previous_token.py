"""Previous token: the next layer selects what it selected for the token before."""

import numpy as np

from .base import Candidates, ModelPolicy, PolicyInput, name_sets


def _previous_sets(told: PolicyInput) -> Candidates:
    """Name, for the event after each, the set of its layer one token ago, unless a sequence has begun since."""
    event = np.arange(len(told.events))
    source = event + 1 - told.n_layers
    starts = np.cumsum(told.events.sequence_start, dtype=np.int64)
    known = source >= 0
    same_layer = told.events.layer[np.maximum(source, 0)] == (told.events.layer + 1) % told.n_layers
    same_sequence = starts[np.maximum(source, 0)] == starts
    known &= same_layer & same_sequence
    return name_sets(told, event[known], source[known])


PREVIOUS_TOKEN = ModelPolicy(
    "previous_token", "what the next layer selected for the token before", names=_previous_sets
)

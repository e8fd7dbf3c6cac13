"""The working set: how many distinct experts a window of consecutive tokens uses (Denning, CACM 11(5), 1968)."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .event_keys import NO_KEY


def working_set(keys: NDArray[np.int32], n_layers: int, n_keys: int, windows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean number of distinct keys in a window, for each length of `windows` (tokens, 1 to T).

    `keys` [T * L, K] are the events of T tokens. The mean is exact, over all T - w + 1 places of a window of w
    tokens: an expert is missing from those that lie wholly in one of the gaps between its uses, of which a gap of g
    tokens has g - w + 1 (Xiang et al., PPoPP 2011). Windows may span sequences.
    """
    n_tokens = len(keys) // n_layers
    gaps = np.zeros(n_tokens + 1, np.int64)
    n_used = _count_gaps(keys, n_layers, np.full(n_keys, -1, np.int64), gaps)
    lengths = np.arange(n_tokens + 1)
    missing = [int((gaps[w:] * (lengths[w:] - w + 1)).sum()) / (n_tokens - w + 1) for w in windows.tolist()]
    return n_used - np.array(missing)


@njit(cache=True)
def _count_gaps(keys, n_layers, last_use, gaps):
    """Count the tokens without a key before, between and after its uses; returns how many keys are used."""
    n_tokens, n_used = len(keys) // n_layers, 0
    for event in range(len(keys)):
        token = event // n_layers
        for key in keys[event]:
            if key == NO_KEY:
                continue
            if last_use[key] < 0:
                n_used += 1
            gaps[token - last_use[key] - 1] += 1
            last_use[key] = token
    for last in last_use:
        if last >= 0:
            gaps[n_tokens - 1 - last] += 1
    return n_used

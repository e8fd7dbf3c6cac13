"""Is the mean working set that of counting every window?"""

import numpy as np
import pytest
from moefetch.sim.event_keys import NO_KEY
from moefetch.sim.working_set import working_set

from .cache_oracles import random_events


@pytest.mark.parametrize("n_layers", [1, 3])
def test_equals_counting_every_window(n_layers):
    for seed in range(3):
        events = random_events(np.random.default_rng(seed), 40 * n_layers, 10, 2, ragged=True)
        events[events != NO_KEY] += 12 * (np.nonzero(events != NO_KEY)[0] % n_layers).astype(np.int32)
        windows = np.array([1, 2, 3, 7, 39, 40])
        found = working_set(events, n_layers, 12 * n_layers, windows)  # some keys are never used
        for window, mean in zip(windows, found, strict=True):
            places = [events[t * n_layers : (t + window) * n_layers] for t in range(40 - window + 1)]
            assert mean == pytest.approx(np.mean([len(np.unique(p[p != NO_KEY])) for p in places])), f"seed {seed}"

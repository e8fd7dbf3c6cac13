"""The roofline of a replay: no less than the compute, and no less than what must cross the link.

max(compute, Belady bytes / bandwidth): `compute` are the cycles with every expert resident; Belady's rule loads the
fewest experts into a cache that must hold each event whole (sim/belady_distance.py).
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from .belady_distance import BeladyStack, next_uses
from .event_columns import EventColumns
from .event_keys import NO_KEY
from .workload import Workload


def belady_loads(events: EventColumns, n_experts: int, slots: int) -> NDArray[np.int64] | None:
    """Return how many experts Belady's cache of `slots` loads in each event, from an empty one; None if one event
    does not fit."""
    keys = _keys(events, n_experts)
    if not len(keys) or keys.shape[1] > slots:
        return None
    n_keys = (int(events.layer.max()) + 1) * n_experts
    following = next_uses(keys, n_keys)
    distance = BeladyStack(n_keys, keys.shape[1]).distances(keys, following)
    return ((distance >= slots) & (keys != NO_KEY)).sum(axis=1)


def link_cycles(loads: int, workload: Workload) -> int:
    """Return the cycles in which the link moves `loads` experts, without latency, beside its background traffic."""
    cycles = Fraction(loads * workload.transfer_cycles)
    if workload.background_period:
        cycles *= Fraction(workload.background_period, workload.background_period - workload.background_length)
    return int(cycles)


def _keys(events: EventColumns, n_experts: int) -> NDArray[np.int32]:
    """Return [N, most members] keys, each row's own once, NO_KEY behind them."""
    event = np.repeat(np.arange(len(events)), np.diff(events.first_beat))
    key = events.layer[event].astype(np.int64) * n_experts + events.expert
    pairs = np.unique(event << 32 | key)
    event, key = pairs >> 32, pairs & 0xFFFF_FFFF
    counts = np.bincount(event, minlength=len(events))
    within = np.arange(len(event)) - np.repeat(np.cumsum(counts) - counts, counts)
    found = np.full((len(events), int(counts.max(initial=0))), NO_KEY, np.int32)
    found[event, within] = key
    return found

"""Policies that differ in who gives way, without prefetch, and Belady's with the oracle's."""

import numpy as np

from ..key_ranking import KeyRanking, first_uses
from .base import ModelPolicy, PolicyInput
from .oracle import ORACLE


def _by_uses(told: PolicyInput) -> KeyRanking:
    return KeyRanking("uses", np.zeros((told.n_layers, told.n_experts), np.int64))


def _by_next_use(told: PolicyInput) -> KeyRanking:
    return KeyRanking("next_use", -first_uses(told.events, told.n_layers, told.n_experts))


LRU = ModelPolicy("lru", "no prefetch; the least recently used gives way")
LFU = ModelPolicy("lfu", "no prefetch; the least often used so far gives way", ranks=_by_uses)
LEAST_STALE = ModelPolicy(
    "least_stale", "no prefetch; the one whose layer comes round last gives way", victim="least_stale"
)
BELADY = ModelPolicy("belady", "no prefetch; the one that is used again last gives way", ranks=_by_next_use)
BELADY_ORACLE = ModelPolicy(
    "belady_oracle",
    "the oracle's prefetch; the one that is used again last gives way",
    names=ORACLE.names,
    ranks=_by_next_use,
)

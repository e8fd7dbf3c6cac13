"""Policies that the cycle model runs and no unit has: limits and baselines, a small file each."""

from .base import ModelPolicy
from .hot_set import HOT_SET
from .oracle import ORACLE, ORACLE_FAR
from .previous_token import PREVIOUS_TOKEN
from .victims import BELADY, BELADY_ORACLE, LEAST_STALE, LFU, LRU

MODEL_POLICIES: dict[str, ModelPolicy] = {
    policy.name: policy
    for policy in (LRU, LFU, LEAST_STALE, BELADY, HOT_SET, PREVIOUS_TOKEN, ORACLE, ORACLE_FAR, BELADY_ORACLE)
}
"""Name -> policy, in the order of reports."""

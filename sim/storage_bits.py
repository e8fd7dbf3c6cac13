"""Bits of storage: of the slots that hold experts, and of the tables that a predictor learns in."""

from ..hw.weight_rules import WeightRules
from .policies import KNOWN_POLICIES

CONFIDENCE_BITS = 2
SRAM_FORMULA = "slots in use x expert bytes of the unscaled model x 8"
TABLE_FORMULA = (
    "st_moe: layers x (experts x top-k x (expert bits + 2) + experts); "
    "weights: layers x sources x experts^2 x weight bits; 0 without a predictor; none for policies that no unit has"
)


def sram_bits(slots: int, expert_bytes: int) -> int:
    """Return the bits of `slots` rooms for one expert each."""
    return slots * expert_bytes * 8


def table_bits(predictor: str | None, n_layers: int, n_experts: int, top_k: int, rules: WeightRules) -> int:
    """Return the bits of a predictor's tables for a whole model, without what a unit has beyond the model."""
    if predictor is None:
        return 0
    if predictor == "weights":
        return n_layers * len(rules.sources) * n_experts**2 * rules.bits
    expert_bits = (n_experts - 1).bit_length()
    return n_layers * (n_experts * top_k * (expert_bits + CONFIDENCE_BITS) + n_experts)


def policy_table_bits(policy: str, n_layers: int, n_experts: int, top_k: int, rules: WeightRules) -> int | None:
    """Return the bits of the tables behind a policy; None for one of the cycle model's own, which no unit has."""
    if policy not in KNOWN_POLICIES:
        return None
    return table_bits(KNOWN_POLICIES[policy].predictor, n_layers, n_experts, top_k, rules)

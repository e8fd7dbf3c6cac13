"""How long the unit takes to name what to prefetch, and the scale at which that still is short."""

from collections.abc import Iterable

from ..hw.config import UnitConfig
from .model_spec import ModelSpec
from .platform_spec import PlatformSpec
from .policies import KNOWN_POLICIES, Policy
from .unit_fit import fit_unit
from .workload import auto_scale, derive

CONFIDENCE = 3
"""Largest that one row adds to a score."""
HISTORY = 2
"""What the history adds to a score."""
SCAN = 7
"""From the last router beat to the ranking, beside the rows (predictor_rtl/st_moe.py)."""
RANK = 5
"""From the ranking's start to its first expert, beside empty levels (predictor_rtl/ranking.py)."""
WEIGHTS_FIRST = 13
"""From the last router beat to the first expert, beside the members' rows (predictor_rtl/weights.py)."""
WEIGHTS_PERIOD = 5
"""From an expert to the next (predictor_rtl/selection.py)."""
COMMIT = 3
"""For each candidate at the commit port (hw/commit_port.py)."""


def prediction_cycles(unit: UnitConfig, policy: Policy, top_k: int) -> int:
    """Return the cycles from a token's last router beat to the commit of the `top_k`-th candidate, the worst case.

    The paper's predictor waits longer on purpose; that wait is scaled and not counted here. Nor is what tables in
    memory take to come. 0 for a policy without prefetch.
    """
    if policy.predictor is None:
        return COMMIT * top_k + 1 if policy.hints else 0
    if policy.predictor == "weights":
        groups = -(-unit.max_experts // unit.weight_lanes)
        looked_up = 2 * top_k + 1 if unit.weight_ways else 0
        return top_k * groups + looked_up + WEIGHTS_FIRST + WEIGHTS_PERIOD * (top_k - 1) + COMMIT
    steps = unit.max_top_k // unit.predictor_lanes
    highest = CONFIDENCE * top_k + HISTORY
    levels = (1 << highest.bit_length()) - 1
    return top_k * (steps - 1) + SCAN + RANK + levels + COMMIT * top_k


def slowest_prediction(unit: UnitConfig, policies: Iterable[Policy], top_k: int) -> int:
    """Return the most cycles that a prediction takes under any of `policies`."""
    return max(prediction_cycles(unit, policy, top_k) for policy in policies)


def prediction_table(unit: UnitConfig) -> list[tuple[str, int, int]]:
    """Return (predictor, members, cycles to as many candidates) of a unit's predictors, for every power of 2."""
    policies = {policy.predictor: policy for policy in KNOWN_POLICIES.values()}
    sizes = sorted({1 << power for power in range(unit.max_experts.bit_length())} | {unit.max_top_k})
    return [(name, size, prediction_cycles(unit, policies[name], size)) for name in unit.predictors for size in sizes]


def largest_valid_scale(
    model: ModelSpec, platform: PlatformSpec, preset: UnitConfig, policies: list[Policy], top_k: int
) -> int:
    """Return the largest scale whose results stand for the real size under all `policies`; 1 always does."""
    scale = auto_scale(model, platform)
    while scale > 1:
        workload = derive(model, platform, scale)
        unit = fit_unit(preset, workload)
        if all(workload.to_scale(prediction_cycles(unit, policy, top_k))[0] for policy in policies):
            break
        scale -= 1
    return scale

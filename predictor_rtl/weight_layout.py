"""Widths of the weight predictor's rows, words and sums."""

from ..hw.config import UnitConfig, bits_for


def lanes_of(config: UnitConfig) -> int:
    """Return the weights of a memory word: `weight_lanes`, or all experts if those are fewer."""
    return min(config.weight_lanes, 1 << config.expert_bits)


def groups_of(config: UnitConfig) -> int:
    """Return the memory words of a row."""
    return -(-config.max_experts // lanes_of(config))


def rows_of(config: UnitConfig) -> int:
    """Return the most rows that a prediction reads."""
    return len(config.weight_sources) * config.max_experts


def place_bits_of(config: UnitConfig) -> int:
    """Return the width of a row's place in the table of its layer and source: of its expert, or with ways its way."""
    return bits_for(config.weight_ways) if config.weight_ways else config.expert_bits


def source_bits_of(config: UnitConfig) -> int:
    """Return the width of a source's index."""
    return bits_for(len(config.weight_sources))


def group_bits_of(config: UnitConfig) -> int:
    """Return the width of a group's index."""
    return bits_for(groups_of(config))


def sum_bits_of(config: UnitConfig) -> int:
    """Return the width of a signed sum that no context can overflow."""
    rules = config.weight_rules
    return bits_for((rows_of(config) + 1) * -rules.lowest + 1) + 1

"""Are the widths enough for every geometry, and no wider than they say?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.weight_layout import groups_of, lanes_of, rows_of, sum_bits_of


@pytest.mark.parametrize(
    ("experts", "lanes", "expected"), [(64, 32, (32, 2)), (20, 8, (8, 3)), (6, 32, (8, 1)), (128, 128, (128, 1))]
)
def test_lanes_and_groups_cover_the_experts(experts, lanes, expected):
    config = UNIT_PRESETS["tiny"].replace(max_experts=experts, weight_lanes=lanes)
    assert (lanes_of(config), groups_of(config)) == expected


@pytest.mark.parametrize("bits", [2, 5, 8])
@pytest.mark.parametrize("experts", [9, 64, 512])
def test_no_context_overflows_a_sum(bits, experts):
    config = UNIT_PRESETS["tiny"].replace(max_experts=experts, weight_bits=bits)
    rules, limit = config.weight_rules, 1 << sum_bits_of(config) - 1
    assert rules.offset + rows_of(config) * rules.lowest >= -limit
    assert rules.offset + rows_of(config) * rules.highest < limit
    assert rules.offset + rows_of(config) * rules.lowest < -limit // 2, "no wider than needed"

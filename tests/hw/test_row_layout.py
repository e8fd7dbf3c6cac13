"""Do rows lie in memory where RTL and software both look for them?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.register_access import counter_offset, field_table
from moefetch.hw.register_map import register_map
from moefetch.hw.row_layout import RowLayout, paged_layout
from moefetch.hw.table_layout import TableLayout

TINY = UNIT_PRESETS["tiny"].replace(predictors=("weights",), weight_ways=2, weight_sources=((1, 0), (2, 0), (0, 1)))


def test_rows_follow_each_other():
    layout = RowLayout(TINY)
    assert (layout.row_bytes, layout.words, layout.groups) == (8, 2, 1)
    assert layout.row_offset(0, 0, 3) == 24
    assert layout.row_offset(0, 2, 0) == 2 * 64
    assert layout.row_offset(1, 0, 0) == layout.layer_bytes == 4 * 64, "three sources take up four places"
    assert layout.bytes == 4 * layout.layer_bytes


@pytest.mark.parametrize(
    ("experts", "bus_bytes", "row_bytes", "words", "groups"),
    [(8, 64, 64, 1, 1), (200, 64, 256, 4, 1), (512, 4, 512, 128, 8), (65, 16, 128, 8, 1)],
)
def test_a_row_is_a_bus_word_at_least_and_bursts_have_sixteen_at_most(experts, bus_bytes, row_bytes, words, groups):
    layout = RowLayout(TINY.replace(max_experts=experts, bus_bytes=bus_bytes))
    assert (layout.row_bytes, layout.words, layout.groups) == (row_bytes, words, groups)


def test_weights_are_signed_bytes():
    layout = RowLayout(TINY)
    row = layout.encode_row([1, -1, -16, 15])
    assert row == bytes([1, 0xFF, 0xF0, 15, 0, 0, 0, 0])
    assert layout.decode_row(row) == [1, -1, -16, 15, 0, 0, 0, 0]


def test_the_unit_tells_its_strides():
    registers = {register.name: register for register in register_map(TINY)}
    fields = {field.name: field.reset for register in registers.values() for field in register.fields}
    layout = RowLayout(TINY)
    assert fields["weight_ways"] == layout.places == 2
    assert fields["weight_row_bytes"] == layout.row_bytes and fields["weight_layer_bytes"] == layout.layer_bytes
    assert {"table_base", "table_enable"} <= set(field_table(TINY)) and "CAPABILITY_TABLE" not in registers
    assert counter_offset(TINY, "table_hits") == counter_offset(TINY, "table_lost") + 8


def test_the_layout_is_that_of_what_is_paged():
    assert isinstance(paged_layout(TINY), RowLayout)
    assert isinstance(paged_layout(UNIT_PRESETS["tiny"].replace(predictors=("st_moe",), table_window=3)), TableLayout)

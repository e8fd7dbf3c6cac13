"""Do tables lie in memory as the registers say, and is memory of zeros an empty table?"""

import random

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.register_map import register_map
from moefetch.hw.table_layout import CONFIDENCE_LSB, TableLayout

TINY = UNIT_PRESETS["tiny"].replace(predictors=("st_moe",), table_window=3)


def layout(layers=4, experts=8, top_k=2, bus_bytes=4):
    return TableLayout(
        TINY.replace(max_layers=layers, max_experts=experts, max_top_k=top_k, bus_bytes=bus_bytes, slot_bytes=512)
    )


@pytest.mark.parametrize(
    ("arguments", "row_bytes", "page_bytes", "words", "lines", "groups"),
    [
        ({}, 4, 32, 8, 8, 1),
        ({"experts": 128, "top_k": 8, "bus_bytes": 64}, 16, 2048, 32, 32, 2),
        ({"experts": 100, "top_k": 6, "bus_bytes": 4}, 16, 2048, 512, 128, 32),
        ({"experts": 4, "bus_bytes": 128}, 4, 128, 1, 1, 1),
        ({"experts": 512, "top_k": 16, "bus_bytes": 32}, 32, 16384, 512, 512, 32),
    ],
)
def test_sizes(arguments, row_bytes, page_bytes, words, lines, groups):
    found = layout(**arguments)
    sizes = (found.row_bytes, found.page_bytes, found.words, found.lines, found.groups)
    assert sizes == (row_bytes, page_bytes, words, lines, groups)
    assert found.burst_words * arguments.get("bus_bytes", 4) <= 4096
    assert found.lines * found.words_per_line == found.words
    assert found.lines * found.rows_per_line == found.rows


def test_rows_follow_each_other_and_come_back_as_they_went():
    found, rng = layout(experts=100, top_k=6), random.Random(1)
    assert found.row_offset(3, 5) == 3 * found.page_bytes + 5 * found.row_bytes
    row = [(rng.randrange(100), rng.randrange(4)) for _ in range(6)]
    stored = found.encode_row(row)
    assert len(stored) == found.row_bytes and found.decode_row(stored) == row
    assert int.from_bytes(stored[2:4], "little") == (row[1][0] ^ 1) | row[1][1] << CONFIDENCE_LSB
    assert found.decode_row(bytes(found.row_bytes)) == [(place, 0) for place in range(6)]
    assert found.encode_row([(0, 0), (1, 0)]) == bytes(found.row_bytes)


def test_software_reads_the_sizes_from_a_register():
    fields = {field.name: field.reset for register in register_map(TINY) for field in register.fields}
    found = TableLayout(TINY)
    assert fields["table_window"] == 3
    assert (fields["table_row_bytes"], fields["table_page_bytes"]) == (found.row_bytes, found.page_bytes)
    assert "TABLE_BASE" not in {register.name for register in register_map(UNIT_PRESETS["tiny"])}

"""Does the harness give the bench what a unit has in memory?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.replay_harness import ReplayHarness
from moefetch.hw.row_layout import table_index_bits

TINY = UNIT_PRESETS["tiny"]

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")


@pytest.mark.parametrize(
    ("changes", "bits"),
    [
        ({}, 1),
        ({"predictors": ("st_moe",), "table_window": 3}, 2 + 3),
        ({"predictors": ("weights",), "weight_ways": 2, "weight_sources": ((1, 0), (2, 0), (0, 1))}, 2 + 2 + 3 + 1),
    ],
)
def test_the_tables_port_has_a_number_for_each_word(changes, bits):
    """4 layers of 8 rows of a word; 4 layers, 3 sources and 8 experts of rows of two words; one word, never used."""
    config = TINY.replace(**changes)
    tables = ReplayHarness(config=config).tables
    assert len(tables.read_index) == len(tables.write_index) == table_index_bits(config) == bits

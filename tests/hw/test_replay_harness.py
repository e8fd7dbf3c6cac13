"""Does the harness refuse a unit that its memory cannot serve?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.replay_harness import ReplayHarness


def test_a_unit_that_pages_its_tables_is_refused():
    paged = UNIT_PRESETS["tiny"].replace(predictors=("st_moe",), table_window=3)
    with pytest.raises(ValueError, match="table_window = 3: must be 0, the harness's memory holds no tables"):
        ReplayHarness(config=paged)

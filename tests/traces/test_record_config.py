from __future__ import annotations

import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.record_config import RecordConfig, parse_horizons


def test_horizons_are_a_number_a_range_or_none():
    assert parse_horizons("1") == (1, 1)
    assert parse_horizons("3") == (3, 3)
    assert parse_horizons("1..4") == (1, 4)
    assert parse_horizons("0") is None


@pytest.mark.parametrize("text", ["", "x", "-1", "2..1", "0..2", "1..", "1...3", "1-3"])
def test_other_horizons_are_refused(text):
    with pytest.raises(UserError, match=r"hints: .*: must be MoE layers ahead: a number, a range such as 1\.\.3, or 0"):
        parse_horizons(text)


def test_a_batch_of_none_is_refused():
    with pytest.raises(UserError, match="batch: 0: must be at least 1"):
        RecordConfig(batch=0)

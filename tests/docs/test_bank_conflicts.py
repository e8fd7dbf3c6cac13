"""Do elements meet in a bank without mapping, and never with it, and is all read and counted once?"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
import bank_conflicts


@pytest.mark.parametrize("banks", sorted({banks for banks, _ in bank_conflicts.UNITS}))
def test_mapped_elements_lose_no_bank_to_each_other(banks):
    windows = {window: bank_conflicts.measure(banks, window) for unit, window in bank_conflicts.UNITS if unit == banks}
    unmapped, mapped = windows[0], windows[8]
    assert unmapped.lost_to_elements > 0 and mapped.lost_to_elements == 0
    words = bank_conflicts.EVENTS * bank_conflicts.EXPERTS * bank_conflicts.unit_of(banks, 0).slot_beats
    assert unmapped.words == mapped.words == words
    assert unmapped.lost_to_writer > 0 and mapped.lost_to_writer > 0, "the writer wins, mapped or not"

"""Does a curve say what share of the selected experts is among the first so many named?"""

import numpy as np
import pytest
from moefetch.sim.recall_curves import RecallCurves

NONE = 0xFFFF
EXPERTS = np.array([[[5, 6], [1, 2]], [[5, 6], [3, 4]]], np.uint16)
NAMED = np.array([[[NONE] * 3, [1, 0, 2]], [[NONE] * 3, [0, 3, 7]]], np.uint16)


def test_by_hand():
    curves = RecallCurves.of(EXPERTS, NAMED)
    assert curves.later == (0, 0.25, 0.5, 0.75)
    assert curves.layer_0 is None and curves.layer_0_at((2,)) is None
    assert curves.at((2, 3, 8)) == (0.5, 0.75, 0.75)
    assert curves.needed(0.625) == pytest.approx(2.5)
    assert curves.needed(0.76) is None


def test_layer_0_is_apart():
    named = NAMED.copy()
    named[0, 0] = [5, 1, 6]
    curves = RecallCurves.of(EXPERTS, named)
    assert curves.layer_0 == (0, 0.25, 0.25, 0.5) and curves.later == (0, 0.25, 0.5, 0.75)
    assert curves.layer_0_at((1, 9)) == (0.25, 0.5)

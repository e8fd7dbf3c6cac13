"""Is a place of the state the array's, whatever names it, and is it the array itself in plain Python?"""

import numpy as np
import pytest
from moefetch.sim.cycle_model.fields import N_COLUMNS
from moefetch.sim.cycle_model.state import state_of
from numba import njit

from .interpreted import interpreted

SINGLE = (1, 3)


@njit
def _move(array, row, column, flag):
    state = state_of(array)
    state[SINGLE] += 5
    state[row, column] = state[SINGLE] - 1
    state[row + 1, 2] = flag
    return state[row, column]


def test_places_are_the_arrays():
    array = np.zeros((6, N_COLUMNS), np.int64)
    assert _move(array, np.uint8(3), N_COLUMNS - 1, True) == 4
    assert {(int(row), int(column)): int(array[row, column]) for row, column in np.argwhere(array)} == {
        (1, 3): 5, (3, N_COLUMNS - 1): 4, (4, 2): 1,
    }  # fmt: skip


def test_another_width_is_refused():
    with pytest.raises(RuntimeError, match="another width"):
        _move(np.zeros((6, N_COLUMNS - 1), np.int64), 0, 0, False)


def test_plain_python_keeps_the_array():
    array = np.zeros((2, N_COLUMNS), np.int64)
    assert interpreted("state")[0].state_of(array) is array

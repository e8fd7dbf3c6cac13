"""When does a release enter its queue, if the queue was full?"""

import numpy as np

from .interpreted import interpreted

elements, f = interpreted("elements", "fields")
DEPTH = 3
"""Of the queue's memory; its output register holds one more."""


def full_queue(done):
    """Return a state with four releases in the queue since long ago, and an element done in cycle `done`."""
    mem = np.zeros((f.RANKED, f.N_COLUMNS), np.int64)
    mem[f.C_ELEMENTS], mem[f.C_RELEASE_ROOM], mem[f.R_RELEASE_TAIL] = 1, DEPTH, DEPTH + 1
    mem[f.R_FIRST_DONE] = done
    mem[f.R_LAST_PUSH] = mem[f.R_LAST_POP] = -1
    return mem


def test_a_full_queue_takes_nothing():
    assert elements.push_time(full_queue(20)) == f.INF


def test_the_first_of_several_releases_makes_room():
    mem = full_queue(20)
    for cycle in (30, 32, 34):
        elements.pop_release(mem, cycle)
        assert elements.push_time(mem) == 31


def test_room_since_long_ago_delays_nothing():
    mem = full_queue(20)
    elements.pop_release(mem, 5)
    assert elements.push_time(mem) == 20

"""Is a key's distance below C exactly when an event-atomic LRU cache of C slots holds it?"""

import numpy as np
import pytest
from moefetch.sim.event_keys import NO_KEY, event_keys, largest_event
from moefetch.sim.lru_distance import LruStack

from .cache_oracles import lru_hits, random_events

NONE = np.empty((10**6, 0), np.int32)


def distances(events, n_keys):
    return LruStack(n_keys, largest_event(events)).distances(events, NONE[: len(events)])[0]


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(("n_keys", "width"), [(4, 1), (6, 6), (12, 3), (30, 5)])
def test_equals_the_naive_cache_at_every_size_from_the_largest_event_up(n_keys, width, ragged):
    for seed in range(4):
        events = random_events(np.random.default_rng(seed), 150, n_keys, width, ragged=ragged)
        found = distances(events, n_keys)
        for slots in range(max(1, largest_event(events)), n_keys + 1):
            flags = [
                [bool(d < slots) for d, key in zip(*row, strict=True) if key != NO_KEY]
                for row in zip(found, events, strict=True)
            ]
            assert flags == lru_hits(events, slots), f"seed {seed}, {slots} slots"


def test_worked_by_hand():
    events = np.array([[0, 1], [2, 3], [0, 2], [1, 3], [3, 2]], np.int32)
    # Before the third event the order is 3 2 1 0: 0 is fourth, 2 second, both looked up before either moves.
    found = distances(events, 4)
    assert found[:3].tolist() == [[4, 4], [4, 4], [3, 1]]
    assert found[3].tolist() == [3, 2]  # order 2 0 3 1
    assert found[4].tolist() == [0, 2]  # order 3 1 2 0


def test_serving_experts_one_by_one_would_say_something_else():
    """The mistake that event-atomic replay avoids: in a cache of 2 slots, 1 would push out 0 before its turn."""
    events = np.array([[0, 1], [2, 0]], np.int32)
    assert distances(events, 3)[1, 1] == 1  # 0 is resident in 2 slots although 2 is served first


def test_in_pieces_and_asked_keys_are_the_same():
    rng = np.random.default_rng(5)
    events = random_events(rng, 400, 20, 3, ragged=True)
    asked = rng.integers(NO_KEY, 20, (400, 2)).astype(np.int32)
    whole, answers = LruStack(20, 3).distances(events, asked)
    stack = LruStack(20, 3)
    parts = [stack.distances(events[i : i + 7], asked[i : i + 7]) for i in range(0, 400, 7)]
    assert (np.concatenate([part[0] for part in parts]) == whole).all()
    assert (np.concatenate([part[1] for part in parts]) == answers).all()
    # A member that is asked for as well has one distance.
    both = LruStack(20, 3).distances(events, events)
    assert (both[0] == both[1]).all()
    assert (both[0] == whole).all()


def test_keys_number_layers_and_leave_out_second_mentions():
    experts = np.array([[[1, 0xFFFF], [0, 0]], [[1, 0], [2, 1]]], np.uint16)
    assert event_keys(experts, 3).tolist() == [[1, NO_KEY], [3, NO_KEY], [1, 0], [5, 4]]
    assert largest_event(event_keys(experts, 3)) == 2

"""Does the one pass give Belady's hits at every size, and has no on-demand cache more?"""

import numpy as np
import pytest
from moefetch.sim.belady_distance import BeladyStack, next_uses
from moefetch.sim.event_keys import NO_KEY, largest_event

from .cache_oracles import belady_hits, best_hits, lru_hits, random_events


def distances(events, n_keys):
    return BeladyStack(n_keys, largest_event(events)).distances(events, next_uses(events, n_keys))


def hits(events, n_keys, slots):
    return int(((distances(events, n_keys) < slots) & (events != NO_KEY)).sum())


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(("n_keys", "width"), [(4, 1), (6, 6), (12, 3), (30, 5)])
def test_equals_the_naive_rule_at_every_size_from_the_largest_event_up(n_keys, width, ragged):
    for seed in range(4):
        events = random_events(np.random.default_rng(seed), 150, n_keys, width, ragged=ragged)
        for slots in range(max(1, largest_event(events)), n_keys + 1):
            expected = sum(map(sum, belady_hits(events, slots)))
            assert hits(events, n_keys, slots) == expected, f"seed {seed}, {slots} slots"
            assert expected >= sum(map(sum, lru_hits(events, slots)))


@pytest.mark.parametrize("ragged", [False, True])
def test_no_choice_of_victims_has_more_hits(ragged):
    for seed in range(25):
        events = random_events(np.random.default_rng(seed), 9, 7, 2, ragged=ragged)
        for slots in range(max(1, largest_event(events)), 7):
            assert hits(events, 7, slots) == best_hits(events, slots), f"seed {seed}, {slots} slots"


def test_keys_never_used_before_are_no_hit_at_any_size():
    events = np.array([[0, 1], [2, NO_KEY], [0, 3]], np.int32)
    assert distances(events, 4).tolist() == [[4, 4], [4, 4], [distances(events, 4)[2, 0], 4]]
    assert distances(events, 4)[2, 0] < 2  # kept over the event of 2, although that leaves it the last slot


def test_in_pieces_the_same():
    events = random_events(np.random.default_rng(6), 300, 20, 3, ragged=True)
    following = next_uses(events, 20)
    stack = BeladyStack(20, 3)
    parts = [stack.distances(events[i : i + 11], following[i : i + 11]) for i in range(0, 300, 11)]
    assert (np.concatenate(parts) == distances(events, 20)).all()


def test_next_uses_by_hand():
    events = np.array([[0, 1], [1, NO_KEY], [0, 2]], np.int32)
    assert next_uses(events, 3).tolist() == [[2, 1], [3, 3], [3, 3]]

"""Does the search for a slot take classes, policies and ties in the stated order?"""

import pytest
from moefetch.hw.records import Issue, VictimPolicy
from moefetch.sim.golden.directory import DRAINING, FILLING, FREE, RESIDENT, Directory

CURRENT, LAYER, N_LAYERS = 10, 2, 4


def directory(*slots, policy=VictimPolicy.LRU):
    """Build a directory of slots given as a state and what differs from an old, unpinned slot."""
    built = Directory(len(slots), N_LAYERS, policy)
    for slot, (state, changes) in zip(built.slots, slots, strict=True):
        slot.state, slot.stamp = state, CURRENT
        for name, value in changes.items():
            setattr(slot, name, value)
    return built


def demand(*slots, **options):
    outcome, slot = directory(*slots, **options).search_demand(CURRENT, LAYER)
    return outcome, slot and slot.index


def prefetch(deadline, *slots):
    outcome, slot = directory(*slots).search_prefetch(CURRENT, LAYER, deadline)
    return outcome, slot and slot.index


OLD = (RESIDENT, {"tick": 1})
OLDER = (RESIDENT, {"tick": 0})
COMING = (RESIDENT, {"tick": 0, "stamp": 12})
LATER = (RESIDENT, {"tick": 2, "stamp": 13})
PINNED = (RESIDENT, {"pinned": True})
STICKY = (RESIDENT, {"sticky": True})
OWN = (RESIDENT, {"pinned": True, "released": True, "tick": 9})
OWN_OLDER = (RESIDENT, {"pinned": True, "released": True, "tick": 8})
OWN_STICKY = (RESIDENT, {"pinned": True, "released": True, "tick": 1, "sticky": True})
DEMANDED = (FILLING, {"pinned": True, "stamp": 99})
ON_ITS_WAY = (FILLING, {"stamp": 11})
ON_ITS_WAY_FAR = (FILLING, {"stamp": 12})
GONE = (DRAINING, {"stamp": 13})
EMPTY = (FREE, {})


@pytest.mark.parametrize(
    ("slots", "expected"),
    [
        ([OLD, EMPTY, EMPTY], (Issue.FREE, 1)),
        ([COMING, OLD, OLDER, OWN], (Issue.EVICT, 2)),
        ([LATER, COMING, OWN, ON_ITS_WAY], (Issue.EVICT, 1)),
        ([PINNED, STICKY, OWN, OWN_OLDER, OWN_STICKY, ON_ITS_WAY], (Issue.OWN_RELEASED, 3)),
        ([PINNED, OWN_STICKY, DEMANDED, ON_ITS_WAY, ON_ITS_WAY_FAR, ON_ITS_WAY_FAR], (Issue.ABORT, 4)),
        ([PINNED, STICKY, DEMANDED, GONE, OWN_STICKY], (Issue.WAIT, None)),
    ],
)
def test_demand_takes_the_best_class(slots, expected):
    assert demand(*slots) == expected


@pytest.mark.parametrize(
    ("deadline", "slots", "expected"),
    [
        (11, [OLD, EMPTY], (Issue.FREE, 1)),
        (11, [COMING, OLD], (Issue.EVICT, 1)),
        (12, [LATER, COMING], (Issue.EVICT, 1)),
        (13, [COMING, LATER], (Issue.EVICT, 1)),
        (14, [COMING, LATER, OWN, ON_ITS_WAY], (Issue.NO_VICTIM, None)),
    ],
)
def test_prefetch_never_evicts_for_a_farther_deadline(deadline, slots, expected):
    assert prefetch(deadline, *slots) == expected


def test_least_stale_takes_the_layer_that_comes_round_last():
    """Layer 2 is current: layer 1 is 3 ahead, layer 3 is 1 ahead, layer 2 itself is 0 ahead."""
    slots = [(RESIDENT, {"layer": layer, "tick": tick}) for layer, tick in ((2, 0), (3, 1), (1, 7), (1, 6))]
    assert demand(*slots, policy=VictimPolicy.LEAST_STALE) == (Issue.EVICT, 3)
    assert demand(*slots) == (Issue.EVICT, 0)


def test_finds_only_what_is_resident_or_filling():
    built = Directory(2, N_LAYERS, VictimPolicy.LRU)
    first, second = built.slots
    built.allocate(first, 1, 5, 11)
    assert (built.find(1, 5), built.find(2, 5)) == (first, None)
    first.state = DRAINING
    assert built.find(1, 5) is None
    built.allocate(second, 1, 5, 12)
    first.state = RESIDENT  # a stale copy: the key belongs to the slot that was allocated last
    assert built.find(1, 5) is second
    built.allocate(second, 3, 3, 12)
    assert built.find(1, 5) is None
    assert [slot.tick for slot in (first, second)] == [0, 2]

"""Reuse distances of an event-atomic LRU cache: one pass gives the hits at every cache size.

The distance of an expert is the number of experts that were used more recently, counted when its event begins; an
LRU cache of C slots holds it if the distance is below C. Distances are counted with a Fenwick tree over the order of
use (Bennett and Kruskal, IBM J. Res. Dev. 19(4), 1975; Olken, LBL-12370, 1981), renumbered when it is full.

Event-atomic means: all experts of an event are looked up in one snapshot, are pinned until it ends, and only then
become the most recent, in router order. The pinned experts then are the top of the LRU stack, and the victims are the
least recent of all others, so a cache of C slots still holds exactly the top C of one stack (inclusion) - provided
that C is at least the size of the largest event. A smaller cache cannot pin its event, has no such stack, and has no
figure here.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .event_keys import NO_KEY


class LruStack:
    """An LRU stack over keys 0 to `n_keys`-1, fed with events in order."""

    def __init__(self, n_keys: int, largest_event: int):
        room = 2 * n_keys + largest_event
        self._tree = np.zeros(room + 1, np.int32)
        self._key_at = np.full(room + 1, NO_KEY, np.int32)
        self._place = np.zeros(n_keys, np.int32)
        self._used = np.zeros(2, np.int64)

    def distances(
        self, keys: NDArray[np.int32], asked: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the distances of the events `keys` [N, K], and of `asked` [N, A] at the same moments.

        `asked` are keys that are only looked up, as a prefetcher would; A may be 0. The distance of a key not used
        before, and of `NO_KEY`, is `n_keys`: at home in no cache. The stack moves on by N events.
        """
        found = np.empty(keys.shape, np.int32)
        answers = np.empty(asked.shape, np.int32)
        _walk(keys, asked, self._tree, self._key_at, self._place, self._used, found, answers)
        return found, answers


@njit(cache=True)
def _walk(keys, asked, tree, key_at, place, used, found, answers):
    """Fill `found` and `answers`; `used` is [last place given, keys in the stack]."""
    for event in range(len(keys)):
        for index in range(keys.shape[1]):
            found[event, index] = _distance(keys[event, index], tree, place, used[1])
        for index in range(asked.shape[1]):
            answers[event, index] = _distance(asked[event, index], tree, place, used[1])
        if used[0] + keys.shape[1] >= len(tree):
            used[0] = _renumber(tree, key_at, place, used[0])
        for key in keys[event]:
            if key == NO_KEY:
                continue
            if place[key]:
                _add(tree, place[key], -1)
                key_at[place[key]] = NO_KEY
            else:
                used[1] += 1
            used[0] += 1
            place[key] = used[0]
            key_at[used[0]] = key
            _add(tree, used[0], 1)


@njit(cache=True)
def _distance(key, tree, place, n_stacked):
    if key == NO_KEY or place[key] == 0:
        return len(place)
    older_or_same = 0
    node = place[key]
    while node > 0:
        older_or_same += tree[node]
        node -= node & -node
    return n_stacked - older_or_same


@njit(cache=True)
def _add(tree, node, change):
    while node < len(tree):
        tree[node] += change
        node += node & -node


@njit(cache=True)
def _renumber(tree, key_at, place, last):
    """Close the gaps of the order of use; returns the last place given."""
    count = 0
    for old in range(1, last + 1):
        key = key_at[old]
        if key != NO_KEY:
            count += 1
            key_at[old] = NO_KEY
            key_at[count] = key
            place[key] = count
    tree[:] = 0
    for node in range(1, count + 1):
        _add(tree, node, 1)
    return count

"""The hit-rate ceiling of on-demand caches, event-atomic, at every cache size in one pass.

Belady's rule (IBM Systems J. 5(2), 1966) evicts the expert whose next use is farthest; here the experts of the open
event are pinned, so it chooses among the others. Mattson's stack algorithm (IBM Systems J. 9(2), 1970) serves all
sizes at once: a cache of C slots holds the top C of one stack, in which each place keeps the expert used again sooner
and hands the other one down.

What optimality it has: no cache of the same size that loads an expert only when its event demands it, and that must
hold all experts of an event until the event ends, has more hits over the trace. Keeping an expert from one use to the
next takes one slot in every event between, of which C minus the event's size are free; the task is to keep as many
such intervals as fit. Whenever too many are kept, one of them has to go, all of them end later than now, and dropping
the one that ends last leaves the most room in every later event: exchanging it for any other choice never makes
another interval impossible. That holds for events of different sizes too, as long as C is at least the size of the
largest; smaller caches have no figure here. It is no limit for a cache that prefetches, and none on time.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .event_keys import NO_KEY


def next_uses(keys: NDArray[np.int32], n_keys: int) -> NDArray[np.int32]:
    """Return [N, K]: the event that uses each key of the events `keys` [N, K] next, N if none does."""
    following = np.empty(keys.shape, np.int32)
    _look_ahead(keys, np.full(n_keys, len(keys), np.int32), following)
    return following


class BeladyStack:
    """The stack of Belady's rule over keys 0 to `n_keys`-1, fed with events in order."""

    def __init__(self, n_keys: int, largest_event: int):
        self._keys = np.empty(n_keys + largest_event, np.int32)
        self._next = np.empty(n_keys + largest_event, np.int32)
        self._n_keys = n_keys
        self._moved = np.zeros(2, np.int64)

    def distances(self, keys: NDArray[np.int32], following: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the stack distance of each key of the events `keys` [N, K]; the stack moves on by N events.

        A cache of C slots, C at least the largest event, holds a key if its distance is below C. `n_keys` is the
        distance of a key not used before, and of `NO_KEY`. `following` are the rows of `next_uses` for `keys`.
        """
        found = np.full(keys.shape, self._n_keys, np.int32)
        _walk(keys, following, self._keys, self._next, self._moved, found)
        return found


@njit(cache=True)
def _look_ahead(keys, coming, following):
    for event in range(len(keys) - 1, -1, -1):
        for index in range(keys.shape[1]):
            key = keys[event, index]
            following[event, index] = len(keys) if key == NO_KEY else coming[key]
        for key in keys[event]:
            if key != NO_KEY:
                coming[key] = event


@njit(cache=True)
def _walk(keys, following, stack, stack_next, moved, found):
    """Fill `found`; `moved` is [events served, keys in the stack]."""
    width = keys.shape[1]
    out_key = np.empty(width + 1, np.int32)  # handed down, the soonest used last
    out_next = np.empty(width + 1, np.int32)
    for event in range(len(keys)):
        now, depth = moved[0], moved[1]
        size = 0
        for key in keys[event]:
            size += key != NO_KEY
        missing, n_out, place = size, 0, 0
        while place < depth and (missing > 0 or place < size):
            due = stack_next[place]
            if due == now:  # a key of this event: whatever is kept moves up into its place
                _record(keys[event], stack[place], place, found[event])
                missing -= 1
                if place >= size:
                    n_out -= 1
                    stack[place], stack_next[place] = out_key[n_out], out_next[n_out]
            elif place < size:
                n_out = _hand_down(stack[place], due, out_key, out_next, n_out)
            elif due > out_next[n_out - 1]:
                key = stack[place]
                n_out -= 1
                stack[place], stack_next[place] = out_key[n_out], out_next[n_out]
                n_out = _hand_down(key, due, out_key, out_next, n_out)
            place += 1
        place = max(place, size)
        while n_out > 0:  # only once every place has been seen: new keys deepen the stack
            n_out -= 1
            stack[place], stack_next[place] = out_key[n_out], out_next[n_out]
            place += 1
        moved[0], moved[1] = now + 1, max(depth, place)
        place = 0
        for index in range(width):
            if keys[event, index] != NO_KEY:
                stack[place], stack_next[place] = keys[event, index], following[event, index]
                place += 1


@njit(cache=True)
def _record(members, key, place, found):
    for index in range(len(members)):
        if members[index] == key:
            found[index] = place


@njit(cache=True)
def _hand_down(key, due, out_key, out_next, n_out):
    """Insert a key that found no place; returns how many there are."""
    index = n_out
    while index > 0 and out_next[index - 1] < due:
        out_key[index], out_next[index] = out_key[index - 1], out_next[index - 1]
        index -= 1
    out_key[index], out_next[index] = key, due
    return n_out + 1

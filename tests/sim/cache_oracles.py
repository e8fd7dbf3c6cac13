"""Caches written down naively, slot by slot, and small event lists: what the one-pass analyses are compared with."""

from functools import cache

import numpy as np
from moefetch.sim.event_keys import NO_KEY


def random_events(rng, n_events, n_keys, width, *, ragged):
    """Return [N, width] distinct keys an event with some locality; `ragged` leaves places empty, also whole events."""
    weight = rng.random(n_keys) ** 3
    rows = []
    for _ in range(n_events):
        weight = 0.9 * weight + 0.1 * rng.random(n_keys) ** 3
        row = rng.choice(n_keys, width, replace=False, p=weight / weight.sum())
        if ragged:
            row[rng.random(width) < 0.3] = NO_KEY
        rows.append(row)
    return np.array(rows, np.int32).reshape(n_events, width)


def members_of(events):
    return [[int(key) for key in row if key != NO_KEY] for row in events]


def lru_hits(events, slots):
    """Event by event: look all up in one snapshot, pin all, load the missing ones one by one."""
    resident, hits = [], []  # least recent first
    for members in members_of(events):
        snapshot = set(resident)
        hits.append([member in snapshot for member in members])
        for member in members:
            if member not in resident:
                if len(resident) == slots:
                    resident.remove(next(key for key in resident if key not in members))
                resident.append(member)
        for member in members:  # released in router order
            resident.remove(member)
            resident.append(member)
        assert len(resident) <= slots
    return hits


def belady_hits(events, slots):
    """The same with the victim whose next use is farthest."""
    events = members_of(events)
    resident, hits = set(), []
    for now, members in enumerate(events):
        hits.append([member in resident for member in members])
        for member in members:
            if member not in resident and len(resident) == slots:
                resident.remove(max(resident - set(members), key=lambda key: next_use(events, now, key)))
            resident.add(member)
    return hits


def next_use(events, now, key):
    return next((later for later in range(now + 1, len(events)) if key in events[later]), len(events))


def best_hits(events, slots):
    """Most hits of any on-demand cache that pins its event: every choice of victims is tried."""
    events = [frozenset(members) for members in members_of(events)]

    @cache
    def best(now, resident):
        if now == len(events):
            return 0
        members = events[now]
        room = slots - len(members)
        return len(members & resident) + max(
            best(now + 1, kept | members) for kept in subsets(resident - members, room)
        )

    return best(0, frozenset())


def subsets(keys, most):
    """Return the subsets of `most` keys, or all keys if there are no more."""
    if len(keys) <= most:
        return [keys]
    smaller = {kept - {key} for kept in subsets(keys, most + 1) for key in kept}
    return list(smaller)

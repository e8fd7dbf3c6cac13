"""Ranks of keys (experts of layers), by which a policy of the cycle model chooses whose slot is taken."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .event_columns import EventColumns

NEVER = 1 << 40
"""The next use of a key that is used no more."""


class KeyRanking(NamedTuple):
    """Among slots that may be taken the one whose key ranks lowest goes first; ties go to the least recent.

    `initial` [L, E] are the ranks before the first event. With `by` "fixed" they stay, with "uses" each use adds 1,
    with "next_use" a key's rank is minus the number of the event that uses it next.
    """

    by: Literal["fixed", "uses", "next_use"]
    initial: NDArray[np.int64]


def first_uses(events: EventColumns, n_layers: int, n_experts: int) -> NDArray[np.int64]:
    """Return [L, E]: the first event that uses each key, NEVER for none."""
    found = np.full((n_layers, n_experts), NEVER, np.int64)
    event, layer = _of_beats(events)
    np.minimum.at(found, (layer, events.expert), event)
    return found


def next_uses(events: EventColumns) -> NDArray[np.int64]:
    """Return, for each beat, the next event that uses its expert of its layer, NEVER for none."""
    event, layer = _of_beats(events)
    order = np.lexsort((event, events.expert, layer))
    keys = (layer[order].astype(np.int64) << 16) | events.expert[order]
    later = event[order]
    found = np.full(len(order), NEVER, np.int64)
    same_key = keys[1:] == keys[:-1]
    # A key that tokens of one event share has equal neighbours: all look past them, at the next event's.
    new = np.ones(len(order), bool)
    new[1:] = ~same_key | (later[1:] != later[:-1])
    group = np.cumsum(new) - 1
    first = np.flatnonzero(new)
    following = np.full(len(first), NEVER, np.int64)
    follows = keys[first[1:]] == keys[first[:-1]]
    following[:-1][follows] = later[first[1:]][follows]
    found[order] = following[group]
    return found


def _of_beats(events: EventColumns) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    event = np.repeat(np.arange(len(events)), np.diff(events.first_beat))
    return event, events.layer[event]

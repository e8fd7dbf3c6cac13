"""Event intake: router beats to one event with its distinct experts."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class RouterBeat(NamedTuple):
    """One selected expert as the router names it, best score first per token."""

    layer: int
    expert: int
    score: int = 0
    token_last: bool = False
    last: bool = False
    sequence_start: bool = False


class Event(NamedTuple):
    """A collected event: `members` are distinct and in router order, `faults` counts dropped beats."""

    layer: int
    members: tuple[int, ...]
    sequence_start: bool
    faults: int


def collect_event(beats: Iterable[RouterBeat], n_layers: int, n_experts: int, top_k: Sequence[int]) -> Event:
    """Return the event that `beats` make, up to the one with `last`, which must be the only such.

    A token's beats beyond its first top-k, faulty ones counted, are not looked at. The layer is that of the
    first beat that names an existing one (0 if none does). Raises ValueError unless `last` is on the last
    beat alone.
    """
    beats = list(beats)
    if [beat.last for beat in beats] != [False] * (len(beats) - 1) + [True]:
        raise ValueError("an event's last beat, and no other, must have `last`")
    layer = next((beat.layer for beat in beats if beat.layer < n_layers), 0)
    members: dict[int, None] = {}
    token: set[int] = set()
    place = faults = 0
    for beat in beats:
        if place < top_k[layer]:
            if beat.layer != layer or beat.expert >= n_experts or beat.expert in token:
                faults += 1
            else:
                token.add(beat.expert)
                members[beat.expert] = None
        place += 1
        if beat.token_last:
            token.clear()
            place = 0
    return Event(layer, tuple(members), any(beat.sequence_start for beat in beats), faults)

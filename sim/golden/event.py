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

    A token contributes its first top-k good beats; those beyond are only checked for faults. The layer is the
    first existing one that a beat names (0 if none does), `sequence_start` that of the first beat. Raises ValueError
    unless `last` is on the last beat alone.
    """
    beats = list(beats)
    if [beat.last for beat in beats] != [False] * (len(beats) - 1) + [True]:
        raise ValueError("an event's last beat, and no other, must have `last`")
    layer: int | None = None
    members: dict[int, None] = {}
    token: set[int] = set()
    contributed = faults = 0
    for beat in beats:
        if layer is None and beat.layer < n_layers:
            layer = beat.layer
        if beat.layer != layer or beat.expert >= n_experts or beat.expert in token:
            faults += 1
        else:
            token.add(beat.expert)
            if contributed < top_k[beat.layer]:
                members[beat.expert] = None
                contributed += 1
        if beat.token_last:
            token.clear()
            contributed = 0
    return Event(layer or 0, tuple(members), beats[0].sequence_start, faults)

"""What the link carried when: demand, useful and wasted prefetches, as shares of its time.

Bursts are those that the cycle model planned, exactly; which transfer a burst belongs to follows from the order in
which transfers are complete, on the link and in the commit log.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cycle_model import fields as f
from .cycle_model.observe import Observation
from .transfers import Fate, Transfer

Ints = NDArray[np.int64]


class LinkUse(NamedTuple):
    """Use by bins of time.

    `edges` are cycles, one more than bins; `shares` is the part of each bin's cycles in which the link carried a fate's
    beats, `background` the part that background traffic took.
    """

    edges: Ints
    shares: dict[Fate, NDArray[np.float64]]
    background: NDArray[np.float64]


def link_use(observation: Observation, transfers: list[Transfer], edges: Ints) -> LinkUse:
    """Return the link's use between `edges`, ascending; trains of transfers that were not complete are left out."""
    service = service_before(edges, observation)
    fates = train_fates(observation, transfers)
    width = np.diff(edges)
    shares = {}
    for fate in Fate:
        trains = observation.trains[np.array([found is fate for found in fates], bool)]
        beats = sum((_beats_before(train, service, observation) for train in trains), np.zeros(len(edges), np.int64))
        shares[fate] = np.diff(beats) * observation.cycles_per_beat / width
    return LinkUse(edges, shares, (width - np.diff(service)) / width)


def train_fates(observation: Observation, transfers: list[Transfer]) -> list[Fate | None]:
    """Return whose fate each train has, None for one of a transfer that was not complete."""
    done = completions(observation)
    filled = sorted((t for t in transfers if t.filled is not None), key=lambda t: t.filled or 0)
    fates: list[Fate | None] = [None] * len(observation.trains)
    for (_, rows), transfer in zip(sorted(done), filled, strict=False):
        for row in rows:
            fates[row] = transfer.fate
    return fates


def first_beats(observation: Observation, transfers: list[Transfer]) -> dict[int, int]:
    """Return the cycle of the first beat of each complete transfer, by its place in `transfers`."""
    order = sorted((t.filled, place) for place, t in enumerate(transfers) if t.filled is not None)
    starts = {}
    for (_, rows), (_, place) in zip(sorted(completions(observation)), order, strict=False):
        starts[place] = int(cycle_of(observation.trains[rows[0], f.T_START], observation))
    return starts


def completions(observation: Observation) -> list[tuple[int, list[int]]]:
    """Return the last service cycle and the trains of each transfer whose beats have all come."""
    found, under_way = [], {}
    for place, train in enumerate(observation.trains.tolist()):
        beats, rows = under_way.get(train[f.T_ENTRY], (0, []))
        beats, rows = beats + train[f.T_BEATS], [*rows, place]
        under_way[train[f.T_ENTRY]] = (beats, rows)
        if beats == observation.expert_beats:
            del under_way[train[f.T_ENTRY]]
            found.append((_last_service(train, observation), rows))
    return found


def service_before(cycles: Ints, observation: Observation) -> Ints:
    """Return how many cycles before each the link could serve."""
    period, taken = observation.background
    if taken == 0:
        return cycles
    periods = cycles // period
    return periods * (period - taken) + np.maximum(0, cycles - periods * period - taken)


def cycle_of(service: int, observation: Observation) -> int:
    """Return the cycle of a service cycle, both counted from 0."""
    period, taken = observation.background
    if taken == 0:
        return service
    periods = service // (period - taken)
    return periods * period + taken + service - periods * (period - taken)


def _last_service(train: list[int], observation: Observation) -> int:
    rounds = (train[f.T_COUNT] - 1) // train[f.T_ROUND]
    beats = train[f.T_BEATS] - rounds * train[f.T_ROUND] * train[f.T_UNIT]
    return train[f.T_START] + rounds * train[f.T_STRIDE] + beats * observation.cycles_per_beat


def _beats_before(train: Ints, service: Ints, observation: Observation) -> Ints:
    """Return how many beats of a train are done before each service cycle."""
    ahead = np.maximum(0, service - train[f.T_START])
    rounds = ahead // train[f.T_STRIDE]
    part = (ahead - rounds * train[f.T_STRIDE]) // observation.cycles_per_beat
    whole = train[f.T_ROUND] * train[f.T_UNIT]
    return np.minimum(rounds * whole + np.minimum(part, whole), train[f.T_BEATS])

"""Are the rates at each size those of naive caches, and is what prefetching hides counted miss by miss?"""

import numpy as np
import pytest
from moefetch.sim import cache_curve as module
from moefetch.sim.cache_curve import cache_curve, round_sizes
from moefetch.sim.event_keys import NO_KEY, event_keys
from moefetch.traces.format import ABSENT

from .cache_oracles import belady_hits, lru_hits, members_of
from .test_named_experts import drifting

LAYERS, EXPERTS, TOP_K = 3, 8, 2
SCORED = 20


@pytest.fixture(params=[False, True], ids=["full", "ragged"])
def case(request):
    experts, _ = drifting(3, 60, LAYERS, EXPERTS, TOP_K, ragged=request.param)
    rng = np.random.default_rng(8)
    names = np.argsort(rng.random((SCORED, LAYERS, EXPERTS)), axis=2)[:, :, :3].astype(np.uint16)
    names[0, 1] = ABSENT
    return experts, names


def test_rates_are_those_of_naive_caches(case):
    experts, _ = case
    curve = cache_curve(experts, EXPERTS, LAYERS * TOP_K, {})
    keys = event_keys(experts, EXPERTS)
    demand = int((keys != NO_KEY).sum())
    assert curve.demand == demand
    assert curve.first_uses == len(np.unique(keys[keys != NO_KEY]))
    assert curve.slots == tuple(range(TOP_K, LAYERS * EXPERTS + 1))
    for slots, lru, belady in zip(curve.slots, curve.lru, curve.belady, strict=True):
        assert lru == pytest.approx(sum(map(sum, lru_hits(keys, slots))) / demand)
        assert belady == pytest.approx(sum(map(sum, belady_hits(keys, slots))) / demand)
    assert sum(curve.distance_share) == pytest.approx(1 - curve.first_uses / demand)
    assert (curve.hidden, curve.best_predictor(5), curve.with_prefetch(5)) == ({}, None, None)


def test_hidden_and_useless_are_counted_miss_by_miss(case, monkeypatch):
    experts, names = case
    monkeypatch.setattr(module, "CHUNK_EVENTS", 7)  # pieces that begin before, at and after the first scored event
    curve = cache_curve(experts, EXPERTS, LAYERS * TOP_K, {"three": names, "one": names[:, :, :1]})
    keys, named = event_keys(experts, EXPERTS), members_of(event_keys(names, EXPERTS))
    first = len(keys) - len(named)
    for slots in (5, 9, 20):
        missed = hidden = useless = 0
        for event, (members, guesses) in enumerate(zip(members_of(keys)[first:], named, strict=True), first):
            probe = keys[: event + 1].copy()
            hits = lru_hits(probe, slots)[event]
            lost = {member for member, hit in zip(members, hits, strict=True) if not hit}
            missed += len(lost)
            hidden += len(lost & set(guesses))
            useless += sum(not resident(keys[:event], guess, slots) for guess in set(guesses) - set(members))
        index = curve.at(slots)
        assert curve.hidden["three"][index] == pytest.approx(hidden / missed)
        assert curve.useless["three"][index] == pytest.approx(useless / hidden)
        assert curve.best_predictor(index) == "three"
        assert curve.with_prefetch(index) == pytest.approx(1 - (1 - curve.lru[index]) * (1 - hidden / missed))
    # An event of two experts and three named ones need five slots; with one named, three.
    assert [curve.hidden["three"][curve.at(slots)] is None for slots in (2, 3, 4, 5)] == [True, True, True, False]
    assert [curve.hidden["one"][curve.at(slots)] is None for slots in (2, 3)] == [True, False]


def resident(before, key, slots):
    """Whether an LRU cache holds `key` after the events `before`."""
    probe = np.full((1, before.shape[1]), NO_KEY, np.int32)
    probe[0, 0] = key
    return lru_hits(np.concatenate([before, probe]), slots)[-1][0]


def test_progress_counts_events_and_pieces_change_nothing(case, monkeypatch):
    experts, names = case
    whole = cache_curve(experts, EXPERTS, LAYERS * TOP_K, {"three": names})
    monkeypatch.setattr(module, "CHUNK_EVENTS", 100)
    told = []
    assert cache_curve(experts, EXPERTS, 6, {"three": names}, lambda *progress: told.append(progress)) == whole
    assert told == [(100, 180), (180, 180)]


def test_round_sizes_hold_an_event_and_leave_out_all_experts():
    assert round_sizes(96, 768, 4) == {0.5: 48, 1: 96, 1.5: 144, 2: 192, 3: 288, 4: 384, 6: 576}
    assert round_sizes(2, 8, 2) == {1: 2, 1.5: 3, 2: 4, 3: 6}
    assert round_sizes(4, 4, 2) == {0.5: 2}

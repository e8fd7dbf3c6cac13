"""Does the recall of a predictor mean what it says, and equal the study's figures on the same traces?"""

import os
from pathlib import Path

import numpy as np
import pytest
from moefetch.sim.predictors import PreviousToken, StMoe
from moefetch.sim.predictors.interface import Candidate, PredictorEvent, Source
from moefetch.sim.profile import Profile
from moefetch.sim.recall import measure_recall, ranking_budgets, trace_events

TRACES = Path(__file__).parents[3] / "shared" / "traces"

# Hits, set size and previous-token hits counted by predictor_study.py (see ../shared/study) on the first
# `tokens` tokens of each trace, of which the first half, whole sequences, is the profile.
SHORT = [
    ("gpt-oss-20b.decode", 32, 916, 32738, 78440, (25220, 30173, 32948, 35315), 18206),
    ("deepseek-v2-lite.intent", 64, 892, 48582, 170567, (32074, 39299, 44030, 50480), 17473),
    ("deepseek-v2-lite.summary", 64, 1706, 89740, 311712, (60299, 73524, 82474, 94360), 38617),
]
# Its printed results: recall and size of the set, recall at k, 1.5k, 2k, 3k, previous token.
WHOLE = [
    ("gpt-oss-20b.decode", 32, 60_000, 0.796, 7.38, (0.617, 0.738, 0.802, 0.856), 0.432),
    ("deepseek-v2-lite.intent", 64, 60_000, 0.707, 15.10, (0.466, 0.573, 0.643, 0.738), 0.261),
    ("deepseek-v2-lite.summary", 64, 60_000, 0.683, 14.56, (0.455, 0.556, 0.624, 0.720), 0.300),
]


def measure(name, n_experts, tokens, study_rule=False):
    path = TRACES / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"the trace {path} is not there")
    with np.load(path) as file:
        experts, lengths = file["experts"][:tokens], file["lengths"]
    starts = (np.concatenate([np.arange(length) for length in lengths]) == 0)[:tokens]
    _, n_layers, top_k = experts.shape
    split = len(experts) // 2
    profile = Profile.count(experts[:split], starts[:split], n_experts, top_k)
    if study_rule:  # the study gives a row never seen experts 0 to k-1, the contract the most popular ones
        seen = (experts[:split, :, :, None] == np.arange(n_experts)).any(axis=(0, 2))
        profile = Profile(np.where(seen[:, :, None], profile.rows, np.arange(top_k, dtype=np.uint16)))
    return measure_recall(
        StMoe(n_layers, n_experts, top_k, min_score=1, profile=profile),
        trace_events(experts[split:], starts[split:]),
        n_layers,
        n_experts,
        budgets=ranking_budgets(top_k),
        set_score=2,
        history=experts[split - 1],
    )


@pytest.mark.parametrize(("name", "n_experts", "tokens", "in_set", "size", "ranked", "previous"), SHORT)
def test_st_moe_hits_are_the_studys_exactly(name, n_experts, tokens, in_set, size, ranked, previous):
    tally = measure(name, n_experts, tokens, study_rule=True).later_layers
    assert (tally.in_set, tally.set_size, tuple(tally.ranked)) == (in_set, size, ranked)
    assert tally.previous == previous


@pytest.mark.skipif("MOEFETCH_SLOW" not in os.environ, reason="half a minute; set MOEFETCH_SLOW=1")
@pytest.mark.parametrize(("name", "n_experts", "tokens", "in_set", "size", "ranked", "previous"), WHOLE)
def test_st_moe_figures_are_the_studys(name, n_experts, tokens, in_set, size, ranked, previous):
    rates = measure(name, n_experts, tokens).later_layers.summary()
    assert round(rates["set_recall"], 3) == in_set
    assert round(rates["mean_set_size"], 2) == size
    assert tuple(round(recall, 3) for recall in rates["recall_at"].values()) == ranked
    assert round(rates["previous_token_recall"], 3) == previous


class Scripted:
    """A predictor that says what it is told."""

    def __init__(self, script):
        self.script = script

    def step(self, event):
        return [
            Candidate(target, 0, expert, score, Source.PREDICTOR, False)
            for target, expert, score in self.script.get(event.event, [])
        ]


def test_counting_by_hand():
    experts = np.array([[[0, 1], [2, 3]], [[0, 1], [3, 4]]], np.uint8)
    script = {0: [(1, 4, 9), (1, 3, 2), (1, 2, 1)], 2: [(3, 4, 2)], 1: [(2, 5, 3)]}
    recall = measure_recall(
        Scripted(script),
        trace_events(experts, np.array([True, False])),
        2,
        6,
        budgets=(1, 2, 4),
        set_score=2,
    )
    later = recall.later_layers
    # Event 1 {2, 3}: ranking 4 3 2 | 0 1 5, set 4 3. Event 3 {3, 4}: ranking 4 | 0 1 2 3 5, set 4.
    assert (later.events, later.demand, later.set_size, later.in_set) == (2, 4, 3, 2)
    assert later.ranked == [1, 2, 3]
    assert later.previous == 1
    # Layer 0: event 0 with no prediction, ranking 0 1 2 3; event 2: ranking 5 | 0 1 2, set 5.
    assert (recall.layer_0.set_size, recall.layer_0.in_set) == (1, 0)
    assert recall.layer_0.ranked == [1, 3, 4]
    assert recall.layer_0.previous == 2


def test_a_prediction_may_reach_further_than_the_next_event():
    experts = np.array([[[0], [1], [2]]], np.uint8)
    events = trace_events(experts, np.array([True]))
    recall = measure_recall(Scripted({0: [(2, 2, 5)]}), events, 3, 4, budgets=(1,), set_score=1)
    assert (recall.later_layers.in_set, recall.later_layers.set_size) == (1, 1)


def test_previous_token_predictor_and_previous_token_count_agree():
    rng = np.random.default_rng(7)
    experts = np.argsort(rng.random((40, 3, 8)), axis=2)[:, :, :3].astype(np.uint8)
    starts = np.arange(40) % 10 == 0
    recall = measure_recall(PreviousToken(3), trace_events(experts, starts), 3, 8, budgets=(3,), set_score=1)
    assert recall.later_layers.in_set == recall.later_layers.previous > 0


def test_events_are_numbered_and_drop_absent_experts():
    experts = np.array([[[3, 0xFFFF], [1, 2]], [[0, 1], [2, 3]]], np.uint16)
    assert list(trace_events(experts, np.array([True, False]))) == [
        PredictorEvent(0, 0, True, (3,)),
        PredictorEvent(1, 1, False, (1, 2)),
        PredictorEvent(2, 0, False, (0, 1)),
        PredictorEvent(3, 1, False, (2, 3)),
    ]

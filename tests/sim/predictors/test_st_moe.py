"""Is the golden ST-MoE predictor right on hand-worked cases, and against a naive second version?"""

import random

import numpy as np
import pytest
from moefetch.sim.predictors import StMoe, StMoePaper
from moefetch.sim.predictors.interface import PredictorEvent, Source
from moefetch.sim.predictors.st_moe import update_row
from moefetch.sim.profile import Profile


def event(number, layer, *members, start=False):
    return PredictorEvent(number, layer, start, members)


def profile(rows):
    return Profile(np.array(rows, np.uint16))


TWO_LAYERS = profile([[[0, 1], [1, 2], [2, 3], [3, 0]], [[3, 2], [2, 1], [1, 0], [0, 3]]])


def scored(candidates):
    return [(candidate.expert, candidate.score) for candidate in candidates]


def test_prediction_adds_the_confidences_and_orders_ties_by_id():
    predictor = StMoe(2, 4, 2, profile=TWO_LAYERS)
    candidates = predictor.step(event(0, 0, 1, 0, start=True))
    assert scored(candidates) == [(1, 4), (0, 2), (2, 2)]
    assert [(c.target_event, c.layer, c.source, c.last) for c in candidates] == [
        (1, 1, Source.PREDICTOR, False),
        (1, 1, Source.PREDICTOR, False),
        (1, 1, Source.PREDICTOR, True),
    ]


def test_history_of_the_target_layer_adds_two_and_is_the_previous_tokens():
    predictor = StMoe(2, 4, 2, profile=TWO_LAYERS)
    predictor.step(event(0, 0, 0, start=True))
    predictor.step(event(1, 1, 3, 2))
    assert predictor.history(1) == (3, 2)
    # Row 0 of layer 0 was 0:2, 1:2, neither came: both at 1. History gives 3 and 2 their 2.
    assert predictor.cct_rows(0)[0] == [(0, 1), (1, 1)]
    assert scored(predictor.step(event(2, 0, 0))) == [(2, 2), (3, 2)]


def test_prediction_comes_before_learning_from_the_same_event():
    predictor = StMoe(1, 4, 2, profile=profile([[[1, 2], [2, 3], [3, 0], [0, 1]]]))
    predictor.step(event(0, 0, 0, start=True))
    # One layer: the target is the layer itself. Its history is still the previous token's when it predicts,
    # and row 1 is not changed by this event, which teaches row 0 that 1 came and 2 did not.
    assert scored(predictor.step(event(1, 0, 1))) == [(0, 2), (2, 2), (3, 2)]
    assert predictor.cct_rows(0)[0] == [(1, 3), (2, 1)]
    assert predictor.history(0) == (1,)


def test_wrap_predicts_layer_0_and_learns_the_pair_of_the_last_layer():
    predictor = StMoe(2, 4, 2, profile=TWO_LAYERS)
    predictor.step(event(0, 0, 0, start=True))
    candidates = predictor.step(event(1, 1, 0))
    assert (candidates[0].target_event, candidates[0].layer) == (2, 0)
    assert scored(candidates) == [(0, 2), (2, 2), (3, 2)]  # row 0 of the pair 1 -> 0, and history 0
    predictor.step(event(2, 0, 3, 1))
    assert predictor.cct_rows(1)[0] == [(3, 3), (2, 1)]


def test_without_wrap_the_last_layer_predicts_nothing_and_its_pair_never_changes():
    predictor = StMoePaper(2, 4, 2, profile=TWO_LAYERS)
    before = predictor.cct_rows(1)
    predictor.step(event(0, 0, 0, start=True))
    assert predictor.step(event(1, 1, 0)) == []
    predictor.step(event(2, 0, 3, 1))
    assert predictor.cct_rows(1) == before
    assert predictor.history(0) == (3, 1)


def test_sequence_start_voids_history_and_the_pair_before_it_but_not_the_tables():
    predictor = StMoe(2, 4, 2, profile=TWO_LAYERS)
    predictor.step(event(0, 0, 0, start=True))
    predictor.step(event(1, 1, 3, 2))
    learnt, wrapped = predictor.cct_rows(0), predictor.cct_rows(1)
    candidates = predictor.step(event(2, 0, 1, start=True))
    assert scored(candidates) == [(1, 2), (2, 2)]  # no history in it
    assert predictor.history(1) is None
    assert predictor.cct_rows(0) == learnt
    assert predictor.cct_rows(1) == wrapped


def test_an_event_that_does_not_follow_teaches_no_row():
    predictor = StMoe(3, 4, 1)
    predictor.step(event(0, 0, 0, start=True))
    tables = [predictor.cct_rows(layer) for layer in range(3)]
    predictor.step(event(1, 2, 1))
    assert [predictor.cct_rows(layer) for layer in range(3)] == tables
    assert predictor.history(2) == (1,)


def test_a_cold_predictor_names_only_history():
    predictor = StMoe(2, 4, 2)
    assert predictor.cct_rows(0) == [[(0, 0), (1, 0)]] * 4
    assert predictor.step(event(0, 0, 2, start=True)) == []
    predictor.step(event(1, 1, 3))
    assert scored(predictor.step(event(2, 0, 2))) == [(3, 4)]  # replaced at confidence 2, and history


@pytest.mark.parametrize(
    ("row", "actual", "after"),
    [
        ([(5, 3), (6, 2)], (6, 5), [(5, 3), (6, 3)]),  # gains, at most 3
        ([(5, 3), (6, 1)], (9,), [(5, 2), (6, 0)]),  # losses
        ([(5, 0), (6, 0)], (9, 8), [(9, 2), (8, 2)]),  # replaced in router order
        ([(5, 0), (6, 0)], (9,), [(9, 2), (6, 0)]),  # none left: stays at 0
        ([(5, 0), (9, 0)], (9, 8), [(8, 2), (9, 1)]),  # an expert the row holds further on is no newcomer
        ([(9, 3), (6, 0)], (9, 7), [(9, 3), (7, 2)]),
        ([(6, 0), (5, 0)], (6, 5), [(6, 1), (5, 1)]),  # back from 0
    ],
)
def test_update_of_one_row(row, actual, after):
    experts, confidences = [e for e, _ in row], [c for _, c in row]
    update_row(experts, confidences, actual)
    assert list(zip(experts, confidences, strict=True)) == after


def test_min_score_zero_names_every_expert_and_a_high_one_none():
    everything = StMoe(2, 4, 2, min_score=0, profile=TWO_LAYERS).step(event(0, 0, 0, start=True))
    assert scored(everything) == [(0, 2), (1, 2), (2, 0), (3, 0)]
    assert StMoe(2, 4, 2, min_score=3, profile=TWO_LAYERS).step(event(0, 0, 0, start=True)) == []


def test_scores_saturate_at_255():
    n = 200
    rows = np.zeros((1, n, 1), np.uint16)
    candidates = StMoe(1, n, 1, profile=Profile(rows)).step(event(0, 0, *range(n), start=True))
    assert scored(candidates) == [(0, 255)]


class NaivePair:
    """One pair's table as a matrix of confidences with -1 for "not in the row", plus the order of entries."""

    def __init__(self, rows):
        self.rows = [[[int(e), 2] for e in row] for row in rows]

    def learn(self, sources, actual):
        for source in sources:
            row = self.rows[source]
            for entry in row:
                if entry[0] in actual:
                    entry[1] += entry[1] < 3
                elif entry[1]:
                    entry[1] -= 1
                else:
                    free = [f for f in actual if all(f != other[0] for other in row)]
                    if free:
                        entry[:] = [free[0], 2]


@pytest.mark.parametrize("wrap", [True, False])
@pytest.mark.parametrize(("n_layers", "n_experts", "top_k"), [(1, 5, 3), (2, 8, 2), (3, 13, 5), (4, 16, 1)])
def test_equals_a_naive_version_that_learns_each_pair_at_once(wrap, n_layers, n_experts, top_k):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    rows = [[rng.sample(range(n_experts), top_k) for _ in range(n_experts)] for _ in range(n_layers)]
    predictor = StMoe(n_layers, n_experts, top_k, wrap=wrap, profile=profile(rows))
    naive = [NaivePair(pair) for pair in rows]
    history = [None] * n_layers
    before = None
    for step in range(60):
        start = step == 0 or rng.random() < 0.1
        if start:
            history, before = [None] * n_layers, None
        for layer in range(n_layers):
            size = rng.randint(1, n_experts)  # from one expert to the union of a large batch
            members = rng.sample(range(n_experts), size)
            target = (layer + 1) % n_layers
            expected = np.zeros(n_experts, int)
            for member in members:
                for expert, confidence in naive[layer].rows[member]:
                    expected[expert] += confidence
            for expert in history[target] or []:
                expected[expert] += 2
            order = [(int(e), min(255, int(expected[e]))) for e in np.argsort(-expected, kind="stable")]
            order = [pair for pair in order if pair[1] >= 2]
            if target == 0 and not wrap:
                order = []
            number = step * n_layers + layer
            got = predictor.step(event(number, layer, *members, start=start and layer == 0))
            assert scored(got) == order, f"event {number}"
            if before is not None and (layer or wrap):
                naive[(layer - 1) % n_layers].learn(before, members)
            before = members
            history[layer] = members
            for pair in range(n_layers):
                assert predictor.cct_rows(pair) == [[tuple(x) for x in row] for row in naive[pair].rows]
                assert predictor.history(pair) == (None if history[pair] is None else tuple(history[pair]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_layers": 0}, "n_layers"),
        ({"top_k": 5}, "top_k must be 1 to n_experts"),
        ({"top_k": 0}, "top_k must be 1 to n_experts"),
        ({"min_score": 256}, "min_score must be 0 to 255, not 256"),
        ({"profile": TWO_LAYERS, "n_layers": 3}, "profile"),
    ],
)
def test_wrong_parameters_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        StMoe(**({"n_layers": 2, "n_experts": 4, "top_k": 2} | arguments))


@pytest.mark.parametrize(("layer", "members"), [(2, (0,)), (0, (1, 1)), (0, (4,)), (0, (-1,))])
def test_wrong_events_are_refused(layer, members):
    with pytest.raises(ValueError, match="event 7"):
        StMoe(2, 4, 2).step(PredictorEvent(7, layer, True, members))

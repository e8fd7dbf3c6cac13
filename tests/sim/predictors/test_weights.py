"""Does the golden weight predictor follow its rules? Compared with a naive model, and by hand."""

import random

import numpy as np
import pytest
from moefetch.hw.weight_rules import WeightRules
from moefetch.sim.predictors.interface import PredictorEvent
from moefetch.sim.predictors.weights import Weights

RULES = WeightRules(((1, 0), (2, 0), (0, 1)), 3)


def naive_run(events, n_layers, n_experts, rules):
    """Yield each prediction as [(expert, score)]: dictionaries, one weight at a time."""
    low, high, margin = -(2 ** (rules.bits - 1)), 2 ** (rules.bits - 1) - 1, 2**rules.bits
    weight, latest, past = {}, {}, [None] * rules.ahead
    for event in events:
        if event.sequence_start:
            latest, past = {}, [None] * rules.ahead
        target = (event.layer + rules.ahead) % n_layers
        keys = []
        for number, (back, _) in enumerate(rules.sources):
            layer = (target - back) % n_layers
            if (back, _) == (rules.ahead, 0):
                members = event.members
            else:
                members = () if layer == event.layer else latest.get(layer, ())
            keys += [(target, number, member) for member in members]
        sums = [low + sum(weight.get((*key, f), 0) for key in keys) for f in range(n_experts)]
        before = past.pop(0)
        if before and before[0] == event.layer:
            for f in range(n_experts):
                change = int(before[2][f] < margin) if f in event.members else -int(before[2][f] >= -margin)
                for key in before[1]:
                    weight[*key, f] = max(low, min(high, weight.get((*key, f), 0) + change))
        latest[event.layer] = event.members
        past.append((target, keys, sums))
        shift = max(0, rules.bits - 4)
        scores = [max(0, min(255, 128 + (s >> shift))) for s in sums]
        yield sorted(enumerate(scores), key=lambda item: (-item[1], item[0]))


def random_events(seed, count, n_layers, n_experts):
    """Events that mostly walk the ring, with unions, empty events, sequence starts and layer gaps."""
    rng = random.Random(seed)
    usual = [rng.sample(range(n_experts), max(1, n_experts // 3)) for _ in range(n_layers)]
    layer = 0
    for number in range(count):
        members = usual[layer] if rng.random() < 0.5 else rng.sample(range(n_experts), rng.randint(0, n_experts))
        yield PredictorEvent(number, layer, rng.random() < 0.06, tuple(members))
        layer = (layer + 1) % n_layers if rng.random() < 0.95 else rng.randrange(n_layers)


@pytest.mark.parametrize(
    ("n_layers", "n_experts", "rules"),
    [
        (4, 8, RULES),
        (1, 5, RULES),
        (2, 6, WeightRules(((3, 0), (1, 0), (0, 1), (4, 0)), 5)),
        (5, 9, WeightRules(((1, 0),), 2)),
        (3, 7, WeightRules(((1, 0), (2, 0), (3, 0), (0, 1)), 8)),
        (4, 7, WeightRules(((2, 0), (3, 0), (0, 1)), 4, 2)),
        (2, 6, WeightRules(((0, 1), (3, 0), (4, 0)), 3, 3)),
        (1, 6, WeightRules(((2, 0), (0, 1)), 3, 2)),
    ],
)
def test_lockstep_with_naive_model(n_layers, n_experts, rules):
    for seed in range(4):
        events = list(random_events(seed, 150, n_layers, n_experts))
        predictor = Weights(n_layers, n_experts, rules)
        for event, expected in zip(events, naive_run(events, n_layers, n_experts, rules), strict=True):
            found = predictor.step(event)
            assert [(candidate.expert, candidate.score) for candidate in found] == expected, f"seed {seed}: {event}"
            assert {candidate.target_event for candidate in found} == {event.event + rules.ahead}
            assert [candidate.last for candidate in found] == [False] * (n_experts - 1) + [True]


def test_one_lesson_by_hand():
    """Layer 0 selects 1, then layer 1 selects 2: row 1 of layer 1 learns it, and the next token is told."""
    predictor = Weights(2, 4, WeightRules(((1, 0),), 4), min_score=121)
    assert predictor.step(PredictorEvent(0, 0, True, (1,))) == []
    predictor.step(PredictorEvent(1, 1, False, (2,)))
    assert predictor.tables[1, 0].tolist() == [[0] * 4, [-1, -1, 1, -1], [0] * 4, [0] * 4]
    named = predictor.step(PredictorEvent(2, 0, True, (1,)))
    assert [(candidate.expert, candidate.score, candidate.layer) for candidate in named] == [(2, 128 - 8 + 1, 1)]


def test_weights_saturate_and_the_margin_ends_learning():
    predictor = Weights(1, 3, WeightRules(((1, 0),), 2))
    for number in range(20):
        predictor.step(PredictorEvent(number, 0, number == 0, (0,)))
    assert predictor.tables[0, 0, 0].tolist() == [1, -2, -2]
    wide = Weights(2, 20, WeightRules(((1, 0),), 2))
    for number in range(20):
        wide.step(PredictorEvent(number, number % 2, number == 0, tuple(range(6))))
    assert wide.tables[0, 0, 0].tolist() == [1] * 6 + [-1] * 14, "6 rows of -1 are -8, beyond the margin of 4"


def test_tables_are_copied_and_checked():
    tables = np.ones((2, 3, 4, 4), np.int8)
    predictor = Weights(2, 4, RULES, tables=tables)
    predictor.step(PredictorEvent(0, 0, True, (1,)))
    predictor.step(PredictorEvent(1, 1, False, (2,)))
    assert (tables == 1).all() and not (predictor.tables == 1).all()
    with pytest.raises(ValueError, match="int8"):
        Weights(2, 4, RULES, tables=tables[:, :2])
    with pytest.raises(ValueError, match="-4 to 3"):
        Weights(2, 4, RULES, tables=tables * 4)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (PredictorEvent(0, 2, True, (1,)), "layer 2"),
        (PredictorEvent(0, 0, True, (1, 1)), "distinct"),
        (PredictorEvent(0, 0, True, (4,)), "expert"),
    ],
)
def test_bad_events_are_refused(event, message):
    with pytest.raises(ValueError, match=message):
        Weights(2, 4, RULES).step(event)


@pytest.mark.parametrize(
    ("sources", "bits", "ahead", "message"),
    [
        (((1, 0),), 1, 1, "2 to 8"),
        (((1, 0),), 9, 1, "2 to 8"),
        (((0, 1),), 4, 1, "must contain"),
        (((1, 0), (1, 0)), 4, 1, "twice"),
        (((1, 0), (0, 0)), 4, 1, "earlier layer"),
        (((1, 0), (9, 0)), 4, 1, "earlier layer"),
        (((2, 0), (1, 0)), 4, 2, "earlier layer"),
        (((1, 0), (0, 1)), 4, 2, "must contain"),
        (((5, 0),), 4, 5, "1 to 4"),
        (((1, 0), (-1, 1)), 4, 1, "earlier layer"),
        (((1, 0), (0, 2)), 4, 1, "earlier layer"),
    ],
)
def test_rules_are_checked(sources, bits, ahead, message):
    with pytest.raises(ValueError, match=message):
        WeightRules(sources, bits, ahead)

"""Do the compiled weight tables name, expert for expert and score for score, what the golden predictor does?"""

import numpy as np
import pytest
from moefetch.hw.weight_rules import WeightRules
from moefetch.sim import named_by_weights
from moefetch.sim.predictors.weights import Weights
from moefetch.sim.recall import trace_events

from .test_named_experts import drifting


def golden(experts, starts, n_experts, rules, width, tables):
    """Return names and scores [T, L, width] of the golden predictor, and its tables at the end."""
    n_tokens, n_layers, _ = experts.shape
    predictor = Weights(n_layers, n_experts, rules, tables=tables)
    named = [[(expert, max(0, 128 + (rules.offset >> rules.score_shift))) for expert in range(width)]]
    for event in trace_events(experts, starts):
        named.append([(candidate.expert, candidate.score) for candidate in predictor.step(event)][:width])
    return np.array(named[:-1]).reshape(n_tokens, n_layers, width, 2), predictor.tables


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(
    ("n_layers", "n_experts", "top_k", "rules"),
    [
        (1, 6, 2, WeightRules(((1, 0), (0, 1)), 4)),
        (2, 5, 5, WeightRules(((2, 0), (1, 0), (3, 0)), 3)),
        (3, 12, 3, WeightRules(((1, 0), (2, 0), (0, 1), (4, 0)), 6)),
        (4, 16, 3, WeightRules(((1, 0), (2, 0), (3, 0), (0, 1)), 5)),
    ],
)
def test_it_is_the_golden_predictor(n_layers, n_experts, top_k, rules, ragged):
    for seed in range(3):
        experts, starts = drifting(seed, 100, n_layers, n_experts, top_k, ragged=ragged)
        rng = np.random.default_rng(seed)
        shape = (n_layers, len(rules.sources), n_experts, n_experts)
        tables = rng.integers(rules.lowest, rules.highest + 1, shape).astype(np.int8) if seed else None
        width = min(n_experts, 2 * top_k)
        named, learnt = named_by_weights.weights(experts, starts, n_experts, rules, width, tables=tables)
        expected, golden_tables = golden(experts, starts, n_experts, rules, width, tables)
        assert (named.experts == expected[..., 0]).all(), f"seed {seed}"
        assert (named.scores == expected[..., 1]).all(), f"seed {seed}"
        assert (learnt == golden_tables).all(), f"seed {seed}"


def test_recall_counts_what_is_named():
    experts = np.array([[[1, 2]], [[3, 0xFFFF]]], np.uint16)
    named = np.array([[[2, 0, 1]], [[4, 3, 5]]], np.uint16)
    assert named_by_weights.ranked_recall(experts, named, (0, 1, 2, 3)) == (0, 1 / 3, 2 / 3, 1)

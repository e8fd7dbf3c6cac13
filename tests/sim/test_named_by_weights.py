"""Do the compiled weight tables name, expert for expert and score for score, what the golden predictor does?"""

import os
from pathlib import Path

import numpy as np
import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.weight_rules import WeightRules
from moefetch.sim import named_by_weights, named_experts
from moefetch.sim.predictors.weights import Weights
from moefetch.sim.profile import Profile
from moefetch.sim.recall import trace_events
from moefetch.sim.weight_profile import WeightProfile

from .test_named_experts import drifting


def golden(experts, starts, n_experts, rules, width, tables):
    """Return names and scores [T, L, width] of the golden predictor, and its tables at the end."""
    n_tokens, n_layers, _ = experts.shape
    predictor = Weights(n_layers, n_experts, rules, tables=tables)
    unknown = [(expert, max(0, 128 + (rules.offset >> rules.score_shift))) for expert in range(width)]
    named = [unknown] * rules.ahead
    for event in trace_events(experts, starts):
        named.append([(candidate.expert, candidate.score) for candidate in predictor.step(event)][:width])
    return np.array(named[: -rules.ahead]).reshape(n_tokens, n_layers, width, 2), predictor.tables


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(
    ("n_layers", "n_experts", "top_k", "rules"),
    [
        (1, 6, 2, WeightRules(((1, 0), (0, 1)), 4)),
        (2, 5, 5, WeightRules(((2, 0), (1, 0), (3, 0)), 3)),
        (3, 12, 3, WeightRules(((1, 0), (2, 0), (0, 1), (4, 0)), 6)),
        (4, 16, 3, WeightRules(((1, 0), (2, 0), (3, 0), (0, 1)), 5)),
        (3, 8, 2, WeightRules(((2, 0), (3, 0), (0, 1)), 4, 2)),
        (2, 6, 2, WeightRules(((0, 1), (3, 0)), 5, 3)),
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


TRACES = Path(__file__).parents[3] / "shared" / "traces"


@pytest.mark.parametrize(
    ("name", "n_experts", "points"),
    [("deepseek-v2-lite.intent", 64, 30), ("deepseek-v2-lite.summary", 64, 22), ("gpt-oss-20b.decode", 32, 11.5)],
)
def test_points_over_st_moes_ranking_at_budget_k(name, n_experts, points):
    """On the second half, layer 0 left out, both profiled on the first; with the default rules everywhere."""
    path = TRACES / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"the trace {path} is not there")
    if name.startswith("gpt") and "MOEFETCH_SLOW" not in os.environ:
        pytest.skip("takes 20 s: set MOEFETCH_SLOW")
    with np.load(path) as data:
        experts, lengths = data["experts"].astype(np.uint16), data["lengths"]
    starts = np.zeros(len(experts), bool)
    starts[np.cumsum(lengths) - lengths] = True
    half, top_k = len(experts) // 2, experts.shape[2]
    first, second = (experts[:half], starts[:half]), (experts[half:], starts[half:])
    rules = UNIT_PRESETS["default"].weight_rules
    tables = WeightProfile.train(*first, n_experts, rules).tables
    ours, _ = named_by_weights.weights(*second, n_experts, rules, top_k, tables=tables)
    theirs = named_experts.st_moe(*second, Profile.count(*first, n_experts, top_k), top_k)
    found, base = (
        named_by_weights.ranked_recall(experts[half:, 1:], named[:, 1:], (top_k,))[0]
        for named in (ours.experts, theirs)
    )
    print(f"{name}: {found:.3f} against {base:.3f}")
    assert found - base >= points / 100

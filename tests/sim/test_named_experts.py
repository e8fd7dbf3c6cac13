"""Do the compiled predictors name, expert for expert, what the golden predictors rank first?"""

from pathlib import Path

import numpy as np
import pytest
from moefetch.sim import named_experts
from moefetch.sim.predictors.previous_token import PreviousToken
from moefetch.sim.predictors.st_moe import StMoe
from moefetch.sim.profile import Profile
from moefetch.sim.recall import measure_recall, trace_events
from moefetch.traces.format import ABSENT

TRACE = Path(__file__).parents[3] / "shared" / "traces" / "deepseek-v2-lite.summary.npz"


def drifting(seed, n_tokens, n_layers, n_experts, top_k, *, ragged):
    """Return experts [T, L, K] and sequence starts; `ragged` leaves out single experts, never a whole event."""
    rng = np.random.default_rng(seed)
    score, rows = rng.random((n_layers, n_experts)), []
    for _ in range(n_tokens):
        score = 0.7 * score + 0.3 * rng.random(score.shape)
        rows.append(np.argsort(-score, axis=1)[:, :top_k])
    experts = np.array(rows).astype(np.uint16)
    if ragged:
        absent = rng.random(experts.shape) < 0.3
        absent[:, :, 0] = False
        experts[absent] = ABSENT
    starts = rng.random(n_tokens) < 0.1
    starts[0] = True
    return experts, starts


def golden_st_moe(experts, starts, profile, n_experts, width):
    """Return [T, L, width] by stepping the golden predictor."""
    n_tokens, n_layers, _ = experts.shape
    predictor = StMoe(n_layers, n_experts, profile.rows.shape[2], min_score=1, profile=profile)
    named = np.empty((n_tokens * n_layers + 1, width), np.uint16)
    named[0] = range(width)
    for event in trace_events(experts, starts):
        order = [candidate.expert for candidate in predictor.step(event)]
        order += [expert for expert in range(n_experts) if expert not in order]
        named[event.event + 1] = order[:width]
    return named[:-1].reshape(n_tokens, n_layers, width)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(("n_layers", "n_experts", "top_k", "width"), [(1, 6, 2, 3), (2, 5, 5, 5), (4, 16, 3, 3)])
def test_st_moe_is_the_golden_predictor(n_layers, n_experts, top_k, width, ragged):
    for seed in range(3):
        experts, starts = drifting(seed, 120, n_layers, n_experts, top_k, ragged=ragged)
        profile = Profile.count(experts[:40], starts[:40], n_experts, top_k)
        scored = experts[40:], starts[40:]
        found = named_experts.st_moe(*scored, profile, width)
        assert (found == golden_st_moe(*scored, profile, n_experts, width)).all(), f"seed {seed}"


def test_previous_token_is_the_golden_predictor():
    experts, starts = drifting(7, 100, 3, 16, 3, ragged=True)
    among = named_experts.is_among(experts, named_experts.previous_token(experts, starts)) & (experts != ABSENT)
    recall = measure_recall(PreviousToken(3), trace_events(experts, starts), 3, 16, budgets=(3,), set_score=0)
    assert (among[:, 1:].sum(), among[:, 0].sum()) == (recall.later_layers.previous, recall.layer_0.previous)
    # As a predictor it knows nothing of a sequence's first token but layer 0, named before that is known to start.
    assert among[:, 1:].sum() == recall.later_layers.in_set


def test_the_static_hot_set_is_each_layers_busiest():
    counts = np.array([[5, 9, 9, 1], [0, 0, 0, 0]])
    assert named_experts.static_hot_set(counts, 2, 3).tolist() == [[[1, 2, 0], [0, 1, 2]]] * 2


def test_a_published_trace_has_the_recall_of_the_golden_predictor():
    if not TRACE.exists():
        pytest.skip(f"{TRACE} is absent: the published traces are not part of the project")
    stored = np.load(TRACE)
    experts, starts = stored["experts"].astype(np.uint16), np.zeros(len(stored["experts"]), bool)
    starts[np.cumsum(stored["lengths"])[:-1]] = starts[0] = True
    first = int(np.flatnonzero(starts)[1])  # so that a sequence starts among the scored tokens
    profile = Profile.count(experts[: first - 100], starts[: first - 100], 64, 6)
    scored = experts[first - 100 : first + 50], starts[first - 100 : first + 50]
    assert (named_experts.st_moe(*scored, profile, 6) == golden_st_moe(*scored, profile, 64, 6)).all()


def test_cross_layer_is_its_definition():
    experts, _ = drifting(9, 200, 3, 8, 2, ragged=True)
    profiled, scored = experts[:120], experts[120:]
    named = named_experts.cross_layer(scored, profiled, 8, 3)
    assert (named[:, 0] == ABSENT).all()
    for layer in (1, 2):
        selected = [[set(row[at].tolist()) for row in profiled] for at in (layer - 1, layer)]
        for row, found in zip(scored, named[:, layer], strict=True):
            score = np.zeros(8)
            for expert in row[layer - 1][row[layer - 1] != ABSENT]:
                followers = [after for before, after in zip(*selected, strict=True) if expert in before]
                score += [sum(f in after for after in followers) / max(1, len(followers)) for f in range(8)]
            assert found.tolist() == sorted(range(8), key=lambda f: (-score[f], f))[:3]

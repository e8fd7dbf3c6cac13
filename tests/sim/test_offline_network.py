"""Do networks see the context that they say, learn what follows from it, and stay as they were trained?"""

import numpy as np
import pytest
from moefetch.sim import offline_network
from moefetch.sim.offline_network import NetworkRecipe, network_ranking

NONE = 0xFFFF


def test_context_is_what_the_sources_selected_within_the_sequence():
    experts = np.array([[[0], [1]], [[2], [NONE]], [[1], [0]], [[0], [2]]], np.uint16)
    starts = np.array([True, False, False, True])

    def context(layer, source):
        found = offline_network._context(experts, starts, layer, 3, (source,))
        return [row.nonzero()[0].tolist() for row in found]

    assert context(1, (1, 0)) == [[0], [2], [1], [0]]
    assert context(0, (1, 0)) == [[], [1], [], []], "wraps to the last layer of the token before"
    assert context(1, (2, 0)) == context(1, (0, 1)) == [[], [1], [], []]
    assert context(0, (0, 2)) == [[], [], [0], []]


def following(tokens, seed=0):
    """Layer 1 follows from layer 0, and layer 0 from layer 1 of the token before, by one table each."""
    rng = np.random.default_rng(seed)
    experts = np.empty((tokens, 2, 1), np.uint16)
    experts[:, 0, 0] = rng.integers(0, 8, tokens)
    experts[:, 1, 0] = (3 * experts[:, 0, 0] + 1) % 8
    starts = np.zeros(tokens, bool)
    starts[0] = True
    return experts, starts


def test_what_follows_is_learnt_and_what_does_not_is_not():
    recipe = NetworkRecipe(((1, 0),), hidden=16, batch=16, epochs=20, rate=1e-2, dropout=0.2)
    shown = []
    ranked = network_ranking(following(600), following(200, seed=1), 8, recipe, lambda *at: shown.append(at))
    second = following(200, seed=1)[0]
    assert (ranked[:, 1, 0] == second[:, 1, 0]).all()
    assert (ranked[1:, 0, 0] == second[1:, 0, 0]).mean() < 0.5
    assert (np.sort(ranked, axis=2) == np.arange(8)).all()
    assert shown == [(0, 2), (1, 2)]
    again = network_ranking(following(600), following(200, seed=1), 8, recipe)
    assert (again == ranked).all()


def test_only_the_last_tokens_are_learnt_from():
    recipe = NetworkRecipe(((1, 0),), hidden=4, epochs=1, most_tokens=50)
    experts, starts = following(80)
    found = network_ranking((experts, starts), following(9, seed=1), 8, recipe)
    same = network_ranking((experts[30:], starts[30:]), following(9, seed=1), 8, recipe)
    assert (found == same).all()


def test_gradients_are_those_of_the_loss():
    recipe = NetworkRecipe(((1, 0),), hidden=5, dropout=0.0)
    network = offline_network._Network(recipe, 4, seed=3)
    network._parameters = [values.astype(np.float64) for values in network._parameters]
    rng = np.random.default_rng(4)
    context, selected = rng.random((6, 4)), (rng.random((6, 4)) < 0.5).astype(float)

    def loss():
        scores = network.scores(context)
        return (np.logaddexp(0, scores) - selected * scores).sum() / len(context)

    for values, gradient in zip(network._parameters, network._gradients(context, selected), strict=True):
        place = tuple(size // 2 for size in values.shape)
        values[place] += 1e-6
        above = loss()
        values[place] -= 2e-6
        below = loss()
        values[place] += 1e-6
        assert gradient[place] == pytest.approx((above - below) / 2e-6, abs=1e-6)

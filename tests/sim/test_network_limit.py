"""Are results of networks kept, found again by trace and recipe, and measured on the second half?"""

import json

import pytest
from moefetch.sim import network_limit
from moefetch.sim.halves import halves
from moefetch.sim.network_limit import NetworkResults, network_bits
from moefetch.sim.offline_network import NetworkRecipe, network_ranking
from moefetch.sim.recall_curves import RecallCurves
from moefetch.traces.errors import UserError

from .replay_fixtures import toy_trace

RECIPE = NetworkRecipe(((1, 0), (0, 1)), hidden=4, epochs=1)


def show(done, total):
    pass


def test_a_result_is_that_of_the_networks_and_is_trained_for_once(tmp_path, monkeypatch):
    trace, path = toy_trace(tokens=40), tmp_path / "networks.json"
    found = NetworkResults(path).curves(trace, "toy", RECIPE, show)
    first, second = halves(trace)
    ranked = network_ranking(first[:2], second[:2], 8, RECIPE)
    expected = RecallCurves.of(second.experts, ranked)
    assert found.later == pytest.approx(expected.later, abs=1e-5)
    assert found.layer_0 == pytest.approx(expected.layer_0, abs=1e-5)
    (kept,) = json.loads(path.read_text()).values()
    assert kept["trace"] == "toy" and kept["recipe"] == json.loads(json.dumps(RECIPE.document()))

    def refuse(*arguments):
        raise AssertionError("trained again")

    monkeypatch.setattr(network_limit, "network_ranking", refuse)
    assert NetworkResults(path).curves(trace, "toy", RECIPE, show) == found
    for other in ((toy_trace(tokens=36), RECIPE), (trace, NetworkRecipe(RECIPE.sources, hidden=4, epochs=2))):
        with pytest.raises(AssertionError, match="trained again"):
            NetworkResults(path).curves(other[0], "toy", other[1], show)


def test_bits_are_those_of_all_parameters():
    inputs = 2 * 8
    assert network_bits(RECIPE, 3, 8) == 3 * 32 * (inputs * 4 + 4 + 4 * 8 + 8)


def test_another_file_is_one_line(tmp_path):
    path = tmp_path / "networks.json"
    path.write_text("no")
    with pytest.raises(UserError, match="not a file of networks' results"):
        NetworkResults(path)

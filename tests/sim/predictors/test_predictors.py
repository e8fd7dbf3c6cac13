"""Are the baseline and the hints right, and is every predictor found by its name?"""

import subprocess
import sys

import numpy as np
import pytest
from moefetch.sim.predictors import PREDICTORS, Hints, PreviousToken, predictor_class
from moefetch.sim.predictors.hints import quantise_scores
from moefetch.sim.predictors.interface import PredictorEvent, Source


def test_previous_token_names_what_the_next_layer_selected_before():
    predictor = PreviousToken(2)
    assert predictor.step(PredictorEvent(0, 0, True, (3, 1))) == []
    wrapped = predictor.step(PredictorEvent(1, 1, False, (2,)))
    assert [(c.target_event, c.layer, c.expert, c.last) for c in wrapped] == [
        (2, 0, 1, False),
        (2, 0, 3, True),
    ]
    assert [c.expert for c in predictor.step(PredictorEvent(2, 0, False, (0,)))] == [2]
    assert predictor.step(PredictorEvent(4, 0, True, (0,))) == []


HINTS = np.array([[[9, 9, 9], [4, 2, 7]], [[9, 9, 9], [1, 0xFFFF, 3]]], np.uint16)
SCORES = np.array([[[0, 0, 0], [0.5, 0.5, 0.9]], [[0, 0, 0], [0.2, 0.0, 1.0]]], np.float16)


def test_hints_are_the_next_layers_in_descending_score_ties_to_the_lower_id():
    predictor = Hints(HINTS, SCORES)
    first = predictor.step(PredictorEvent(0, 0, True, (5,)))
    assert [(c.target_event, c.layer, c.expert, c.score) for c in first] == [
        (1, 1, 7, 229),
        (1, 1, 2, 128),
        (1, 1, 4, 128),
    ]
    assert [c.last for c in first] == [False, False, True]
    assert {c.source for c in first} == {Source.HINT}
    assert predictor.step(PredictorEvent(1, 1, False, (5,))) == []
    assert [c.expert for c in predictor.step(PredictorEvent(2, 0, False, (5,)))] == [3, 1]


def test_hints_without_scores_keep_their_order():
    candidates = Hints(HINTS, None).step(PredictorEvent(0, 0, True, (5,)))
    assert [(c.expert, c.score) for c in candidates] == [(4, 255), (2, 254), (7, 253)]


def test_hints_of_a_longer_horizon_name_their_own_target():
    hints = np.arange(3, dtype=np.uint16).reshape(1, 3, 1)
    candidates = Hints(hints, None, horizon=2).step(PredictorEvent(0, 0, True, (0,)))
    assert [(c.target_event, c.layer, c.expert) for c in candidates] == [(2, 2, 2)]


def test_an_expert_hinted_twice_keeps_the_higher_score():
    hints = np.array([[[0, 0], [6, 6]]], np.uint16)
    scores = np.array([[[0, 0], [0.25, 1.0]]], np.float16)
    candidates = Hints(hints, scores).step(PredictorEvent(0, 0, True, (0,)))
    assert [(c.expert, c.score) for c in candidates] == [(6, 255)]


def test_scores_are_rounded_halves_up_and_clipped():
    scores = np.array([-1.0, 0.0, 0.5 / 255, 1.5 / 255, 1.0, 7.0, np.nan, np.inf])
    assert quantise_scores(scores).tolist() == [0, 0, 1, 2, 255, 255, 0, 255]


def test_every_name_gives_its_class_and_an_unknown_one_lists_them():
    for name, (_, attribute) in PREDICTORS.items():
        assert predictor_class(name).__name__ == attribute
    with pytest.raises(KeyError, match="known: st_moe, st_moe_paper, weights, hints, previous_token"):
        predictor_class("oracle")


def test_the_predictors_do_not_import_amaranth():
    code = (
        "import sys\n"
        "from moefetch.sim.predictors import PREDICTORS, predictor_class\n"
        "assert not [m for m in sys.modules if m.startswith('moefetch.sim.predictors.')]\n"
        "import moefetch.sim.recall, moefetch.sim.workload\n"
        "[predictor_class(name) for name in PREDICTORS]\n"
        "assert 'amaranth' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

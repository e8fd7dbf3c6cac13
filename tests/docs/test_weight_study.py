"""Is the study's plain form the predictor of the unit, and does every form run?"""

import sys
from pathlib import Path

import numpy as np
import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.sim.named_by_weights import ranked_recall, weights

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
import weight_study


@pytest.fixture(scope="module")
def routing():
    """Return experts [T, L, K], their scores, and sequence starts; there are more layers than any form looks back."""
    rng = np.random.default_rng(1)
    drift, rows = rng.random((9, 8)), []
    for _ in range(200):
        drift = 0.8 * drift + 0.2 * rng.random(drift.shape)
        rows.append(np.argsort(-drift, axis=1)[:, :2])
    starts = rng.random(200) < 0.05
    starts[0] = True
    experts = np.array(rows)
    return experts, rng.random(experts.shape).astype(np.float16), starts


def test_the_plain_form_is_the_predictor(routing):
    experts, scores, starts = routing
    found = weight_study.measure(weight_study.Form("plain"), experts, scores, starts, 8)
    named, _ = weights(experts.astype(np.uint16), starts, 8, UNIT_PRESETS["default"].weight_rules, 6)
    assert found == ranked_recall(experts[100:, 1:], named.experts[100:, 1:], (2, 3, 4, 6))


@pytest.mark.parametrize("form", weight_study.FORMS, ids=lambda form: form.name)
def test_every_form_recalls_something(routing, form):
    experts, scores, starts = routing
    found = weight_study.measure(form, experts, scores, starts, 8)
    assert 0 < found[0] <= found[1] <= found[2] <= found[3] <= 1
    assert form.bits_per_layer(8) > 0

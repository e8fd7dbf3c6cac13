"""The predictions themselves are compared with each model's rule in test_record_speculative.py."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the recorder needs the `record` extra")
pytest.importorskip("transformers", reason="the recorder needs the `record` extra")

import torch
from moefetch.traces.errors import UserError
from moefetch.traces.record_draft import Draft, DraftPredictor, _Regression, check_draft
from moefetch.traces.record_router import find_routers


@pytest.fixture(scope="module")
def target(checkpoints):
    return checkpoints.ARCHITECTURES[0].build()


@pytest.mark.parametrize(("depth", "layers"), [(1, [0, 0, 0]), (2, [0, 1, 1]), (3, [0, 1, 2]), (6, [1, 3, 5])])
def test_layers_of_other_depths_are_taken_at_the_same_share(checkpoints, target, depth, layers):
    draft = Draft(checkpoints.build_dense(layers=depth), None, "d")
    assert DraftPredictor(draft, target, find_routers(target), 2).layers == layers


def test_a_linear_map_is_found_again():
    generator = torch.Generator().manual_seed(4)
    weight = torch.randn(5, 7, generator=generator)
    regression = _Regression()
    for _ in range(3):
        x = torch.randn(50, 5, generator=generator) + 3
        regression.add(x, x @ weight + 2)
    found, intercept = regression.solve()
    torch.testing.assert_close(found, weight, atol=2e-2, rtol=1e-2)  # ridge shrinks it a little
    torch.testing.assert_close(intercept, torch.full((7,), 2.0), atol=5e-2, rtol=0)
    assert regression.count == 150 and regression.explained == pytest.approx(1, abs=1e-4)
    noise = _Regression()
    noise.add(torch.randn(5000, 5, generator=generator), torch.randn(5000, 7, generator=generator))
    noise.solve()
    assert noise.explained < 0.01


def test_a_state_that_cannot_be_taken_back_is_refused(checkpoints, target):
    class Tokenizer(dict):
        def get_vocab(self):
            return self

    words = Tokenizer({f"w{i}": i for i in range(64)})
    draft = Draft(checkpoints.build_dense(), words, "d")
    check_draft(draft, target, words)
    draft.model.config.layer_types = ["full_attention", "linear_attention"]
    with pytest.raises(UserError, match="draft d: has linear_attention layers: rejected tokens cannot be taken back"):
        check_draft(draft, target, words)

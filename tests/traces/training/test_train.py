from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the `record` extra")
pytest.importorskip("transformers", reason="training needs the `record` extra")

import torch
from moefetch.traces.training import train as train_module
from moefetch.traces.training.corpus import DOMAINS
from moefetch.traces.training.model import CONTEXT, build_model
from moefetch.traces.training.tokenizer import VOCABULARY
from moefetch.traces.training.train import RouterTap, TrainingConfig, balance_loss, draw_batch, train
from torch.nn import functional


@pytest.fixture(scope="module")
def streams():
    """Token streams whose next token follows from the last one, so that a few steps learn something."""
    random = np.random.default_rng(1)
    names = [f"{domain}_{split}" for domain in DOMAINS for split in ("train", "held_out")]
    return {name: np.cumsum(random.integers(1, 3, 3000)).astype(np.uint16) % 64 for name in names}


def test_the_training_path_computes_what_the_published_class_does():
    torch.manual_seed(3)
    fast, plain = build_model(trainable=True), build_model(trainable=False)
    plain.load_state_dict(fast.state_dict())
    tokens = torch.randint(VOCABULARY, (2, 48))
    losses = [
        functional.cross_entropy(m(tokens[:, :-1]).logits.flatten(0, 1), tokens[:, 1:].flatten()) for m in (fast, plain)
    ]
    torch.testing.assert_close(losses[0], losses[1])
    for loss in losses:
        loss.backward()
    for (name, a), b in zip(fast.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, msg=lambda text, name=name: f"{name}: {text}")


def test_balance_is_one_a_layer_for_even_loads_and_more_for_uneven_ones():
    even = torch.eye(8).repeat(4, 1) * 50
    assert balance_loss([even, even, even], top_k=1).item() == pytest.approx(3.0, rel=1e-5)
    skewed = torch.zeros(32, 8)
    skewed[:, 2] = 50.0
    assert balance_loss([skewed], top_k=1).item() == pytest.approx(8.0, rel=1e-5)


def test_balance_has_a_gradient_towards_even_loads():
    logits = torch.zeros(16, 8)
    logits[:, 3] = 1.0
    logits.requires_grad_()
    balance_loss([logits], top_k=1).backward()
    assert (logits.grad[:, 3] > 0).all()  # descending lowers the crowded expert


def test_the_tap_holds_one_entry_a_layer():
    model = build_model(trainable=False)
    tap = RouterTap(model)
    for length in (5, 9):
        model(torch.zeros(1, length, dtype=torch.long))
        assert [tuple(x.shape) for x in tap.logits] == [(length, model.config.num_experts)] * 8


def test_a_batch_is_half_of_each_domain_and_follows_from_the_step():
    streams = {"prose_train": np.full(1000, 7, np.uint16), "code_train": np.full(1000, 9, np.uint16)}
    config = TrainingConfig(batch=4)
    batch = draw_batch(streams, config, 0)
    assert tuple(batch.shape) == (4, CONTEXT + 1)
    assert batch[:, 0].tolist() == [7, 9, 7, 9]


def test_training_learns_and_goes_on_from_its_state(streams, tmp_path, monkeypatch):
    monkeypatch.setattr(train_module, "VALIDATION_WINDOWS", 2)
    first = train(streams, tmp_path, TrainingConfig(steps=6, batch=2, warmup=2))
    log = (tmp_path / "training.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [0, 6]
    start, end = (json.loads(line)["prose"]["loss"] for line in log)
    assert end < start - 0.5
    again = train(streams, tmp_path, TrainingConfig(steps=6, batch=2, warmup=2))
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    train(streams, tmp_path, TrainingConfig(steps=7, batch=2, warmup=2))
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 7

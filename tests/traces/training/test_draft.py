from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the `record` extra")
pytest.importorskip("transformers", reason="training needs the `record` extra")

import torch
from moefetch.traces.training import draft as draft_module
from moefetch.traces.training.corpus import DOMAINS
from moefetch.traces.training.draft import BlockInputs, DraftConfig, agreement, build_draft, describe_draft, train_draft
from moefetch.traces.training.model import build_model


@pytest.fixture(scope="module")
def streams():
    random = np.random.default_rng(1)
    names = [f"{domain}_{split}" for domain in DOMAINS for split in ("train", "held_out")]
    return {name: np.cumsum(random.integers(1, 3, 3000)).astype(np.uint16) % 64 for name in names}


@pytest.fixture(scope="module")
def target():
    torch.manual_seed(2)
    return build_model(trainable=True).eval()


def test_the_draft_starts_with_the_targets_weights_but_for_the_blocks(target):
    draft = build_draft(target)
    theirs = target.state_dict()
    for name, value in draft.state_dict().items():
        if ".mlp." not in name:
            assert torch.equal(value, theirs[name]), name
    block = draft.model.layers[3].mlp
    assert block.gate_proj.weight.shape == (64, 128)
    draft.model.embed_tokens.weight.data.zero_()
    assert target.model.embed_tokens.weight.abs().sum() > 0


def test_the_first_blocks_input_is_the_targets(target):
    """Nothing before the first layer's block differs yet."""
    draft = build_draft(target).eval()
    inputs = [BlockInputs(model) for model in (draft, target)]
    tokens = torch.randint(2048, (2, 9))
    with torch.no_grad():
        for model in (draft, target):
            model(tokens, use_cache=False)
    assert [len(x.values) for x in inputs] == [8, 8]
    torch.testing.assert_close(inputs[0].values[0], inputs[1].values[0])
    assert not torch.allclose(inputs[0].values[1], inputs[1].values[1])


def test_distilling_brings_the_draft_nearer_and_goes_on_from_its_state(streams, target, tmp_path, monkeypatch):
    monkeypatch.setattr(draft_module, "VALIDATION_WINDOWS", 2)
    with torch.no_grad():  # an untrained model's experts do next to nothing
        for layer in target.model.layers:
            layer.mlp.experts.down_proj.mul_(10)
    same = draft_module.draw_batch(streams, DraftConfig(batch=1), 0)
    monkeypatch.setattr(draft_module, "draw_batch", lambda *_: same)
    losses = []
    step = draft_module._step
    monkeypatch.setattr(draft_module, "_step", lambda *a: losses.append(step(*a)) or losses[-1])
    config = DraftConfig(steps=8, batch=1, warmup=2, learning_rate=5e-4)
    first = train_draft(streams, target, tmp_path, config)
    assert losses[-1][1] < 0.9 * losses[0][1]  # the hidden states come nearer
    log = (tmp_path / "training.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [0, 8]
    again = train_draft(streams, target, tmp_path, config)
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    train_draft(streams, target, tmp_path, DraftConfig(steps=9, batch=1, warmup=2, learning_rate=5e-4))
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 9
    assert len(losses) == 9
    said = describe_draft(config, tmp_path / "training.jsonl")
    assert said["steps_done"] == 9 and set(said["held_out_agreement"]) == set(DOMAINS)


def test_agreement_is_the_share_of_equal_choices(streams, target):
    from transformers import Qwen3ForCausalLM

    draft = build_draft(target)
    assert isinstance(draft, Qwen3ForCausalLM)
    with torch.no_grad():
        draft.model.norm.weight.fill_(0)  # every logit is 0: always token 0
    expected = {}
    for domain in DOMAINS:
        stream = streams[f"{domain}_held_out"]
        tokens = torch.from_numpy(stream[:256].astype(np.int64))[None]
        expected[domain] = float((target(tokens, use_cache=False).logits.argmax(-1) == 0).float().mean())
    assert agreement(draft, target, streams, windows=1) == pytest.approx(expected, abs=1e-4)

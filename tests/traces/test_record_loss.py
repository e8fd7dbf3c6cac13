from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the recorder needs the `record` extra")
pytest.importorskip("transformers", reason="the recorder needs the `record` extra")

import torch
from moefetch.traces.errors import UserError
from moefetch.traces.format import ABSENT
from moefetch.traces.record_checkpoint import load_checkpoint
from moefetch.traces.record_config import RecordConfig
from moefetch.traces.record_loss import text_loss
from moefetch.traces.record_shape import TopKShape
from moefetch.traces.recorder import record

NAMES = ("Qwen3Moe", "Olmoe", "Mixtral", "GptOss", "DeepseekV2", "DeepseekV3")
PROMPTS = ["w1 w2 w3 w4 w5", "w9 w8 w7"]


@pytest.fixture(scope="module", params=NAMES)
def architecture(request, checkpoints):
    return next(a for a in checkpoints.ARCHITECTURES if a.name == request.param)


@pytest.fixture(scope="module")
def folder(architecture, tmp_path_factory):
    return architecture.save(tmp_path_factory.mktemp(architecture.name))


def cross_entropy(model, texts):
    """The loss computed again, token by token."""
    losses = []
    for ids in texts:
        logits = model(input_ids=torch.tensor([ids])).logits[0]
        losses += [float(-logits[i].log_softmax(-1)[token]) for i, token in enumerate(ids[1:])]
    return float(np.mean(losses)), len(losses)


@torch.no_grad()
def test_the_loss_is_the_mean_over_all_tokens_but_the_first(folder):
    model, _ = load_checkpoint(folder, "cpu")
    texts = [[1, 2, 3, 4, 5], [9], [8, 7]]
    expected = cross_entropy(model, [texts[0], texts[2]])
    assert text_loss(model, texts) == (pytest.approx(expected[0], rel=1e-5), 5)
    long = [i % 64 for i in range(200)]
    assert text_loss(model, [long])[1] == 95  # cut to the model's 96 positions
    with pytest.raises(UserError, match="validation: no text of two tokens or more"):
        text_loss(model, [[3]])


@torch.no_grad()
def test_a_shape_records_each_layers_top_of_the_ranking_and_reports_the_loss(architecture, folder, checkpoints):
    model, tokenizer = load_checkpoint(folder, "cpu")
    count = len(architecture.layers)
    shape = TopKShape(2, 2, 1, 0)
    config = RecordConfig(max_new=5, shape=shape)
    validation = ["w5 w6 w7 w8", "w1 w1 w2"]
    trace = record(model, tokenizer, PROMPTS, config, name="tiny", validation=validation)
    counts = shape.layers(count, checkpoints.TOP_K)
    assert set(counts) == {1, 2}
    said = trace.meta.provenance["top_k_shape"]
    assert said["layers"] == counts and said["shape"] == "2,2,1,0"
    texts = [tokenizer(text)["input_ids"] for text in validation]
    figures = said["validation"]
    assert figures["tokens"] == 5
    assert figures["loss_full"] == pytest.approx(cross_entropy(model, texts)[0], rel=1e-5)
    shaped, _ = load_checkpoint(folder, "cpu")
    for layer, k in zip(architecture.layers, counts, strict=True):
        checkpoints.router_of(shaped, layer).top_k = k
    assert figures["loss_shape"] == pytest.approx(cross_entropy(shaped, texts)[0], rel=1e-5)
    assert figures["loss_shape"] != figures["loss_full"]
    assert trace.meta.top_k == 2
    for sequence in range(len(PROMPTS)):
        part = trace.select(trace.sequence == sequence)
        inputs = checkpoints.block_inputs(shaped, part.token)
        for index, (layer, k) in enumerate(zip(architecture.layers, counts, strict=True)):
            experts, _ = architecture.rule(checkpoints.router_of(shaped, layer), inputs[layer], k)
            np.testing.assert_array_equal(part.experts[:, index, :k], experts)
            assert (part.experts[:, index, k:] == ABSENT).all() and (part.scores[:, index, k:] == 0).all()


def test_the_model_is_left_as_it_was(folder):
    model, tokenizer = load_checkpoint(folder, "cpu")
    before = record(model, tokenizer, PROMPTS, RecordConfig(max_new=5), name="tiny")
    shaped = record(model, tokenizer, PROMPTS, RecordConfig(max_new=5, shape=TopKShape(1, 1, 1, 0)), name="tiny")
    assert shaped.meta.top_k == 1 and shaped.experts.shape[2] == 1
    after = record(model, tokenizer, PROMPTS, RecordConfig(max_new=5), name="tiny")
    np.testing.assert_array_equal(before.experts, after.experts)
    with pytest.raises(UserError, match="top-k shape: 3,2,2,0: first: 3: must be 1 to 2"):
        record(model, tokenizer, PROMPTS, RecordConfig(shape=TopKShape(3, 2, 2, 0)), name="tiny")


def test_a_router_with_a_fixed_count_has_no_shape(tmp_path, checkpoints):
    fixed = checkpoints.Architecture(
        "Phimoe", {"num_local_experts": checkpoints.EXPERTS}, (0, 1, 2), checkpoints.top_then_softmax
    )
    model, tokenizer = load_checkpoint(fixed.save(tmp_path), "cpu")
    with pytest.raises(UserError, match="top-k shape: 2,2,1,0: PhimoeTopKRouter selects a fixed number of experts"):
        record(model, tokenizer, PROMPTS, RecordConfig(shape=TopKShape(2, 2, 1, 0)), name="tiny")

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the recorder needs the `record` extra")
pytest.importorskip("transformers", reason="the recorder needs the `record` extra")

from moefetch.traces.errors import UserError
from moefetch.traces.format import ABSENT, DECODE, PREFILL, Trace
from moefetch.traces.record_checkpoint import load_checkpoint
from moefetch.traces.record_config import RecordConfig
from moefetch.traces.record_draft import Draft
from moefetch.traces.recorder import record
from moefetch.traces.speculative_stats import speculative_stats
from moefetch.traces.validate import validate_trace
from moefetch.traces.writer import write_trace

NAMES = ("Qwen3Moe", "Olmoe", "Mixtral", "GptOss", "DeepseekV2", "DeepseekV3")
PROMPTS = ["w1 w2 w3 w4 w5", "w9 w8 w7", "w20"]
CONFIG = RecordConfig(max_new=12)


@pytest.fixture(scope="module", params=NAMES)
def architecture(request, checkpoints):
    return next(a for a in checkpoints.ARCHITECTURES if a.name == request.param)


@pytest.fixture(scope="module")
def target(architecture, tmp_path_factory):
    return load_checkpoint(architecture.save(tmp_path_factory.mktemp(architecture.name)), "cpu")


@pytest.fixture(scope="module")
def qwen(checkpoints, tmp_path_factory):
    found = next(a for a in checkpoints.ARCHITECTURES if a.name == "Qwen3Moe")
    return load_checkpoint(found.save(tmp_path_factory.mktemp("qwen")), "cpu")


def perturbed(model, scale, seed=3):
    """A copy of the model that agrees with it now and then."""
    import copy

    import torch

    torch.manual_seed(seed)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(torch.randn_like(parameter) * scale * parameter.std())
    return other


def speculate(target, draft_model, config=CONFIG, prompts=PROMPTS, **settings) -> Trace:
    model, tokenizer = target
    return record(model, tokenizer, prompts, config, name="tiny", draft=Draft(draft_model, tokenizer, "d", **settings))


def test_what_stays_is_what_the_target_alone_decodes(target):
    model, tokenizer = target
    plain = record(model, tokenizer, PROMPTS, CONFIG, name="tiny")
    trace = speculate(target, perturbed(model, 0.2), length=3)
    assert 0 < speculative_stats(trace).acceptance < 1
    kept = trace.select(trace.accepted)
    for name in ("sequence", "position", "phase", "token", "experts", "hints"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(plain, name), err_msg=name)
    np.testing.assert_allclose(kept.scores, plain.scores, atol=2e-3)


def test_windows_hold_every_verified_token_with_the_targets_routing(architecture, target, checkpoints):
    model, _ = target
    trace = speculate(target, perturbed(model, 0.2), length=3, prompts=PROMPTS[:1])
    assert (trace.window[trace.phase == PREFILL] == -1).all()
    assert trace.accepted[trace.phase == PREFILL].all()
    numbers = trace.window[trace.phase == DECODE]
    assert set(np.diff(numbers)) <= {0, 1} and numbers[0] == 0
    text = trace.token[trace.phase == PREFILL].tolist()
    for number in range(numbers[-1] + 1):
        rows = trace.select(trace.window == number)
        assert rows.position.tolist() == list(range(len(text), len(text) + len(rows)))
        stays = int(rows.accepted.sum())
        assert stays >= 1 and rows.accepted[:stays].all()
        inputs = checkpoints.block_inputs(model, [*text, *rows.token])
        for index, layer in enumerate(architecture.layers):
            x = inputs[layer][len(text) :]
            experts, _ = architecture.rule(checkpoints.router_of(model, layer), x, checkpoints.TOP_K)
            np.testing.assert_array_equal(rows.experts[:, index], experts)
        text += rows.token[:stays].tolist()


def test_predictions_are_the_targets_gates_on_the_drafts_attention_output(architecture, target, checkpoints):
    model, _ = target
    draft = perturbed(model, 0.2)
    trace = speculate(target, draft, length=3, prompts=PROMPTS[:1])
    assert trace.meta.provenance["speculative"]["map"].startswith("none")
    text = trace.token[trace.phase == PREFILL].tolist()
    assert (trace.draft_experts[trace.phase == PREFILL] == ABSENT).all()
    for number in range(int(trace.window.max()) + 1):
        rows = trace.select(trace.window == number)
        read = len(rows) - 1  # the draft stops before the last token
        inputs = checkpoints.block_inputs(draft, [*text, *rows.token])
        for index, layer in enumerate(architecture.layers):
            x = inputs[layer][len(text) :][:read]
            experts, _ = architecture.rule(checkpoints.router_of(model, layer), x, checkpoints.TOP_K)
            np.testing.assert_array_equal(rows.draft_experts[:read, index], experts)
        assert (rows.draft_experts[read:] == ABSENT).all()
        text += rows.token[rows.accepted].tolist()


def test_a_model_that_drafts_for_itself_is_always_right(target):
    trace = speculate(target, target[0], RecordConfig(max_new=11), length=4)
    figures = speculative_stats(trace)
    assert figures.acceptance == 1
    assert figures.windows == 3 * 3  # 5 + 5 + 1 rows a prompt
    assert figures.mean_recall == 1
    assert validate_trace(trace).counts.keys() <= {"order lost", "identical rows"}  # random weights


def test_between_different_widths_a_linear_map_is_fitted_on_the_prompts(architecture, target, checkpoints):
    model, tokenizer = target
    draft = checkpoints.build_dense()
    prompts = [" ".join(f"w{(i * j) % 64}" for i in range(1, 40)) for j in (3, 7, 11)]
    trace = speculate(target, draft, RecordConfig(max_new=6), prompts, length=2)
    said = trace.meta.provenance["speculative"]
    assert said["map"]["kind"].startswith("linear, fitted") and said["map"]["tokens"] == 3 * 39
    assert said["draft_layers"] == [[0, 1, 1][layer] for layer in architecture.layers]
    texts = [tokenizer(p)["input_ids"] for p in prompts]
    first = trace.select(trace.sequence == 0)
    row = int(np.flatnonzero(first.window == 0)[0])  # its prediction follows from the prompt and this token alone
    inputs = checkpoints.block_inputs(draft, first.token[: row + 1])
    for index, layer in enumerate(architecture.layers):
        x = np.concatenate([checkpoints.block_inputs(draft, t)[said["draft_layers"][index]] for t in texts])
        y = np.concatenate([checkpoints.block_inputs(model, t)[layer] for t in texts])
        centred = x - x.mean(0)
        ridge = 1e-3 * centred.var(0).mean() * len(x)
        weight = np.linalg.solve(centred.T @ centred + ridge * np.eye(24), centred.T @ (y - y.mean(0)))
        mapped = (inputs[said["draft_layers"][index]][-1:] - x.mean(0)) @ weight + y.mean(0)
        experts, _ = architecture.rule(checkpoints.router_of(model, layer), mapped, checkpoints.TOP_K)
        np.testing.assert_array_equal(first.draft_experts[row : row + 1, index], experts)
        explained = 1 - ((y - (centred @ weight + y.mean(0))) ** 2).sum() / ((y - y.mean(0)) ** 2).sum()
        if index == 0:
            assert said["map"]["variance_explained"][0] == pytest.approx(explained, abs=2e-3)


def test_text_ends_and_limits_are_the_plain_recordings(qwen):
    model, tokenizer = qwen
    limited = speculate(qwen, perturbed(model, 0.2), RecordConfig(max_new=7, tokens=10), length=4)
    kept = limited.select(limited.accepted).decode_rows()
    assert np.bincount(kept.sequence).tolist() == [7, 3]
    free = record(model, tokenizer, PROMPTS[:1], CONFIG, name="tiny").decode_rows().token
    usual = model.generation_config.eos_token_id
    model.generation_config.eos_token_id = int(free[5])
    try:
        for draft in (model, perturbed(model, 0.2)):
            ended = speculate(qwen, draft, prompts=PROMPTS[:1], length=3)
            kept = ended.select(ended.accepted).decode_rows()
            np.testing.assert_array_equal(kept.token, free[: list(free).index(free[5])])
    finally:
        model.generation_config.eos_token_id = usual


def test_a_recording_survives_the_file(qwen, tmp_path, assert_same):
    trace = speculate(qwen, perturbed(qwen[0], 0.2), RecordConfig(max_new=6, horizons=None, logits=True))
    assert trace.hints is None and trace.draft_experts is not None
    meta = write_trace(tmp_path / "t.parquet", trace)
    read = Trace.read(tmp_path / "t.parquet")
    assert_same(read, trace)
    assert read.meta == meta


def test_padded_vocabularies_differ_and_other_ones_are_refused(qwen, checkpoints):
    padded = checkpoints.build_dense(vocabulary=80)
    assert (speculate(qwen, padded, RecordConfig(max_new=4)).token < 64).all()
    with pytest.raises(UserError, match=r"draft d: vocabulary of 50: smaller than the tokenizer's 64"):
        speculate(qwen, checkpoints.build_dense(vocabulary=50))


def test_a_draft_with_another_tokenizer_is_refused(qwen, tmp_path, checkpoints):
    import transformers
    from tokenizers import Tokenizer, models

    words = Tokenizer(models.WordLevel({f"v{i}": i for i in range(64)}, unk_token="v0"))
    other = transformers.PreTrainedTokenizerFast(tokenizer_object=words)
    draft = Draft(checkpoints.build_dense(), other, "d")
    with pytest.raises(UserError, match=r"draft d: its tokenizer \(64 entries\) is not the target's \(64\)"):
        record(*qwen, PROMPTS, CONFIG, name="tiny", draft=draft)


def test_a_text_must_fit_the_draft_too(qwen, checkpoints):
    draft = checkpoints.build_dense()
    draft.config.max_position_embeddings = 16
    with pytest.raises(UserError, match="prompt 1: 5 tokens and 12 new ones: the model has 16 positions"):
        speculate(qwen, draft)


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (RecordConfig(batch=2), {}, "batch: 2: must be 1 with a draft"),
        (RecordConfig(temperature=0.5), {}, "temperature: 0.5: must be 0 with a draft"),
        (RecordConfig(n_hints=0), {}, "hint count: 0: must be at least 1 with a draft"),
        (CONFIG, {"length": 0}, "draft length: 0: must be at least 1"),
        (CONFIG, {"mapping": "direct"}, "draft map: direct: the draft's width is 24, the target's 32: use fitted"),
    ],
)
def test_impossible_settings_are_refused(qwen, checkpoints, config, settings, message):
    with pytest.raises(UserError, match=message):
        speculate(qwen, checkpoints.build_dense(), config, **settings)

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the recorder needs the `record` extra")
pytest.importorskip("transformers", reason="the recorder needs the `record` extra")

import torch
import transformers
from moefetch.cli.trace_record import record as record_command
from moefetch.traces import record_checkpoint
from moefetch.traces.errors import UserError
from moefetch.traces.format import ABSENT, DECODE, PREFILL, Trace
from moefetch.traces.record_checkpoint import load_checkpoint
from moefetch.traces.record_config import RecordConfig
from moefetch.traces.record_prompts import read_prompts
from moefetch.traces.recorder import record


def _load_checkpoints_module():
    """The helper beside this file: pytest's importlib mode puts no test folder on the path."""
    path = Path(__file__).with_name("moe_checkpoints.py")
    spec = importlib.util.spec_from_file_location("moe_checkpoints", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


checkpoints = _load_checkpoints_module()
ARCHITECTURES = {a.name: a for a in checkpoints.ARCHITECTURES}
TOP_K = checkpoints.TOP_K
PROMPTS = ["w1 w2 w3 w4 w5", "w9 w8 w7", "w20"]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request):
    return ARCHITECTURES[request.param]


@pytest.fixture(scope="module")
def checkpoint(architecture, tmp_path_factory):
    return architecture.save(tmp_path_factory.mktemp(architecture.name))


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return ARCHITECTURES["Qwen3Moe"].save(tmp_path_factory.mktemp("qwen"))


def _router_inputs(model, layers, tokens):
    """Router modules and their inputs [T, hidden] in one pass over the whole sequence, without a cache."""
    routers, seen = [], []
    for number in layers:
        mlp = model.model.layers[number].mlp
        routers.append(getattr(mlp, "gate", None) or mlp.router)
        routers[-1].register_forward_pre_hook(lambda _m, x: seen.append(x[0].reshape(-1, x[0].shape[-1])))
    with torch.no_grad():
        model(input_ids=torch.as_tensor(tokens)[None], use_cache=False)
    return routers, [x.double().numpy() for x in seen]


def _record(folder, config, prompts=PROMPTS) -> Trace:
    model, tokenizer = load_checkpoint(folder, "cpu")
    return record(model, tokenizer, prompts, config, name="tiny")


def test_rows_are_what_the_models_rule_selects(architecture, checkpoint):
    trace = _record(checkpoint, RecordConfig(max_new=10))
    assert trace.meta.layers == architecture.layers
    assert (trace.meta.n_experts, trace.meta.top_k, trace.meta.n_hints) == (checkpoints.EXPERTS, TOP_K, TOP_K)
    for sequence in range(len(PROMPTS)):
        part = trace.select(trace.sequence == sequence)
        routers, inputs = _router_inputs(load_checkpoint(checkpoint, "cpu")[0], architecture.layers, part.token)
        for index, (router, x) in enumerate(zip(routers, inputs, strict=True)):
            experts, scores = architecture.rule(router, x, TOP_K)
            np.testing.assert_array_equal(part.experts[:, index], experts)
            np.testing.assert_allclose(part.scores[:, index], scores, rtol=2e-3, atol=1e-4)


def test_hints_are_the_next_router_on_this_layers_input(architecture, checkpoint):
    trace = _record(checkpoint, RecordConfig(max_new=10), PROMPTS[:1])
    routers, inputs = _router_inputs(load_checkpoint(checkpoint, "cpu")[0], architecture.layers, trace.token)
    assert (trace.hints[:, 0] == ABSENT).all()
    assert (trace.hint_scores[:, 0] == 0).all()
    for index in range(1, len(routers)):
        experts, scores = architecture.rule(routers[index], inputs[index - 1], TOP_K)
        np.testing.assert_array_equal(trace.hints[:, index], experts)
        np.testing.assert_allclose(trace.hint_scores[:, index], scores, rtol=2e-3, atol=1e-4)


def test_wider_hints_rank_more_experts_and_leave_the_selection_alone(architecture, checkpoint):
    narrow = _record(checkpoint, RecordConfig(max_new=6), PROMPTS[:1])
    wide = _record(checkpoint, RecordConfig(max_new=6, n_hints=4), PROMPTS[:1])
    none = _record(checkpoint, RecordConfig(max_new=6, n_hints=0), PROMPTS[:1])
    np.testing.assert_array_equal(wide.experts, narrow.experts)
    np.testing.assert_array_equal(none.experts, narrow.experts)
    assert none.hints is None and none.meta.hint_horizon == 0
    for row in range(len(wide)):
        for layer in range(1, wide.meta.n_layers):
            assert set(narrow.hints[row, layer]) <= set(wide.hints[row, layer])
            assert len(set(wide.hints[row, layer])) == 4


def test_rows_carry_phase_position_and_the_tokens_that_greedy_decoding_gives(qwen):
    model, tokenizer = load_checkpoint(qwen, "cpu")
    trace = _record(qwen, RecordConfig(max_new=7))
    for sequence, prompt in enumerate(PROMPTS):
        part = trace.select(trace.sequence == sequence)
        ids = tokenizer(prompt, return_tensors="pt")
        expected = model.generate(**ids, max_new_tokens=7, do_sample=False)[0]
        np.testing.assert_array_equal(part.token, expected.numpy())
        np.testing.assert_array_equal(part.position, np.arange(len(part)))
        length = ids["input_ids"].shape[1]
        assert (part.phase[:length] == PREFILL).all() and (part.phase[length:] == DECODE).all()
        assert len(part) == length + 7


def test_sampling_follows_the_seed(qwen):
    hot = RecordConfig(max_new=20, temperature=1.5, seed=4)
    again, other = _record(qwen, hot), _record(qwen, RecordConfig(max_new=20, temperature=1.5, seed=99))
    first = _record(qwen, hot)
    np.testing.assert_array_equal(first.token, again.token)
    assert not np.array_equal(first.token, other.token)


def test_tokens_limits_the_decode_rows_of_all_prompts(qwen):
    trace = _record(qwen, RecordConfig(max_new=7, tokens=10))
    decoded = trace.decode_rows()
    assert np.bincount(decoded.sequence).tolist() == [7, 3]
    assert set(trace.sequence) == {0, 1}


def test_a_text_that_the_model_ends_is_shorter(qwen):
    model, tokenizer = load_checkpoint(qwen, "cpu")
    free = record(model, tokenizer, PROMPTS[:1], RecordConfig(max_new=8), name="tiny").decode_rows().token
    model.generation_config.eos_token_id = int(free[3])
    ended = record(model, tokenizer, PROMPTS[:1], RecordConfig(max_new=8), name="tiny").decode_rows().token
    np.testing.assert_array_equal(ended, free[: list(free).index(free[3])])


def test_a_router_with_a_fixed_count_says_so(tmp_path):
    fixed = checkpoints.Architecture(
        "Phimoe", {"num_local_experts": checkpoints.EXPERTS}, (0, 1, 2), checkpoints.top_then_softmax
    )
    folder = fixed.save(tmp_path)
    assert _record(folder, RecordConfig(max_new=2)).meta.n_hints == TOP_K
    with pytest.raises(UserError, match="PhimoeTopKRouter selects a fixed number of experts: use 2"):
        _record(folder, RecordConfig(max_new=2, n_hints=4))


@pytest.mark.parametrize("hints", [-1, 9])
def test_a_hint_count_out_of_range_is_refused(qwen, hints):
    with pytest.raises(UserError, match=f"hint count: {hints}: must be 0 to 8"):
        _record(qwen, RecordConfig(n_hints=hints))


def test_a_prompt_that_does_not_fit_is_refused_before_the_work(qwen, monkeypatch):
    monkeypatch.setattr("moefetch.traces.recorder.PlainDecoder.decode", None)
    with pytest.raises(UserError, match="prompt 2: 90 tokens and 20 new ones: the model has 96 positions"):
        _record(qwen, RecordConfig(max_new=20), ["w1", "w1 " * 90])


def test_a_model_without_experts_is_refused(tmp_path):
    config = transformers.LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=4
    )
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path)
    checkpoints.save_tokenizer(tmp_path)
    with pytest.raises(UserError, match="LlamaForCausalLM: no MoE layer"):
        _record(tmp_path, RecordConfig())


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"not a Hugging Face checkpoint: no config.json"):
        load_checkpoint(tmp_path, "cpu")
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}')
    with pytest.raises(UserError, match="cannot load the checkpoint") as caught:
        load_checkpoint(tmp_path, "cpu")
    assert "\n" not in str(caught.value)


def test_a_missing_extra_says_what_to_install(monkeypatch):
    monkeypatch.setattr(record_checkpoint.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'moefetch\[record\]'"):
        record_checkpoint.require_record_extra()


def test_settings_out_of_range_are_refused():
    for wrong in ({"max_new": 0}, {"tokens": 0}, {"temperature": -1.0}, {"temperature": float("nan")}):
        with pytest.raises(UserError, match="must be"):
            RecordConfig(**wrong)


def _run_command(folder, tmp_path, **options):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("\n".join(PROMPTS))
    out = tmp_path / "trace.parquet"
    record_command(model=folder, prompts=prompts, out=out, max_new=5, **options)
    return out


def test_the_command_writes_a_trace_and_names_the_next_step(qwen, tmp_path, capsys):
    out = _run_command(qwen, tmp_path, licence="CC0-1.0", device="cpu")
    trace = Trace.read(out)
    assert len(trace.decode_rows()) == 15
    assert trace.meta.licence == "CC0-1.0"
    assert trace.meta.provenance["decoding"]["max_new"] == 5
    assert f"next: moefetch trace stats {out}" in capsys.readouterr().err


def test_an_interrupted_command_leaves_no_file(qwen, tmp_path, monkeypatch):
    from moefetch.traces import record_plain

    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(record_plain, "next_token", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _run_command(qwen, tmp_path, device="cpu")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["prompts.txt"]


def test_an_output_that_cannot_be_written_is_refused_before_the_work(qwen, tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("w1")
    with pytest.raises(UserError, match="does not exist"):
        record_command(model=tmp_path / "absent", prompts=prompts, out=tmp_path / "no" / "x.parquet")


def test_prompts_are_lines_paragraphs_or_json(tmp_path):
    path = tmp_path / "p.txt"
    path.write_text("one\ntwo\n\n")
    assert read_prompts(path) == ["one", "two"]
    path.write_text("one\nstill one\n\n \ntwo\n")
    assert read_prompts(path) == ["one\nstill one", "two"]
    lines = tmp_path / "p.jsonl"
    lines.write_text(json.dumps({"prompt": "a\n\nb"}) + "\n\n" + json.dumps({"prompt": "c", "id": 3}) + "\n")
    assert read_prompts(lines) == ["a\n\nb", "c"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.txt", " \n\n", "no prompts"),
        ("p.jsonl", '{"prompt": "a"}\n{oops', "line 2: not JSON"),
        ("p.jsonl", '{"text": "a"}', 'line 1: must be an object with a non-empty string "prompt"'),
        ("p.jsonl", '["a"]', "line 1: must be an object"),
    ],
)
def test_bad_prompts_name_file_and_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        read_prompts(path)
    assert str(path) in str(caught.value)


def test_unreadable_prompts_are_refused(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_prompts(tmp_path / "absent.txt")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UserError, match="not UTF-8"):
        read_prompts(tmp_path / "bytes.txt")

from __future__ import annotations

import json
import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the `record` extra")
pytest.importorskip("transformers", reason="training needs the `record` extra")

import torch
from moefetch.traces.format import Trace
from moefetch.traces.record_config import RecordConfig
from moefetch.traces.training import shipped
from moefetch.traces.training.corpus import Document
from moefetch.traces.training.model import build_model
from moefetch.traces.training.tokenizer import encode_split, train_tokenizer
from moefetch.traces.training.train import TrainingConfig


@pytest.fixture(scope="module")
def documents():
    prose = [Document("prose", f"prose/{i}", f"Chapter {i}. The sea was calm and grey. " * 20) for i in range(40)]
    return prose + [Document("code", f"code/{i}", f"def f{i}(x):\n    return x * {i}\n" * 20) for i in range(40)]


@pytest.fixture(scope="module")
def checkpoint(documents, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work") / "model"
    torch.manual_seed(0)
    shipped.save_checkpoint(build_model(trainable=True), train_tokenizer(documents), folder)
    return folder


def test_recordings_continue_held_out_text_with_provenance_inside(documents, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "DECODING", RecordConfig(max_new=4, tokens=10, temperature=0.8, seed=1))
    shipped.ship(documents, checkpoint, {"steps_done": 3}, tmp_path)
    for domain in ("prose", "code"):
        trace = Trace.read(tmp_path / f"{domain}.parquet")
        assert len(trace.decode_rows()) == 10
        assert (trace.meta.n_layers, trace.meta.n_experts, trace.meta.top_k, trace.meta.n_hints) == (8, 32, 4, 4)
        assert trace.meta.provenance["training"] == {"steps_done": 3}
        assert {c["licence"] for c in trace.meta.provenance["corpus"]}
        lines = checkpoint.with_name(f"{domain}.prompts.jsonl").read_text().splitlines()
        texts = {d.name: d for d in documents}
        prompts = [json.loads(line) for line in lines]
        assert len({p["prompt"] for p in prompts}) > 3
        for prompt in prompts:
            source = texts[prompt["document"]]
            assert source.held_out and source.domain == domain
            assert prompt["prompt"] in source.text and len(prompt["prompt"]) > 100


def test_an_untrained_model_is_no_better_than_chance(documents, monkeypatch):
    monkeypatch.setattr(shipped, "MEASURED_WINDOWS", 2)
    streams = encode_split(train_tokenizer(documents), documents)
    long = {name: np.resize(stream, 1000) for name, stream in streams.items()}
    torch.manual_seed(0)
    figures = shipped.measure(build_model(trainable=True), long)
    for domain in ("prose", "code"):
        assert figures[domain]["loss"] == pytest.approx(math.log(2048), rel=0.05)
        assert 0 < figures[domain]["unigram_loss"] < math.log(2048)
        assert len(figures[domain]["overlap"]) == 8


def test_unigram_loss_is_the_entropy_where_both_splits_agree():
    stream = np.resize(np.arange(4, dtype=np.uint16), 1_000_000)
    assert shipped._unigram_loss(stream, stream) == pytest.approx(math.log(4), rel=0.01)


def test_the_provenance_holds_settings_length_and_figures(tmp_path):
    log = tmp_path / "training.jsonl"
    log.write_text('{"step": 0, "minutes": 0}\n{"step": 7, "minutes": 1.5}\n')
    made = shipped.training_record(TrainingConfig(seed=5), log, {"prose": {"loss": 3.0}})
    assert (made["steps_done"], made["minutes_taken"], made["seed"]) == (7, 1.5, 5)
    assert made["held_out"]["prose"]["loss"] == 3.0

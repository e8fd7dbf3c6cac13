from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the `record` extra")
pytest.importorskip("transformers", reason="training needs the `record` extra")

import torch
from moefetch.traces.format import ABSENT, Trace
from moefetch.traces.record_config import RecordConfig
from moefetch.traces.speculative_stats import speculative_stats
from moefetch.traces.training import figures, shipped, shipped_speculative
from moefetch.traces.training.corpus import Document
from moefetch.traces.training.draft import build_draft
from moefetch.traces.training.model import build_model
from moefetch.traces.training.tokenizer import encode_split, train_tokenizer


@pytest.fixture(scope="module")
def documents():
    prose = [Document("prose", f"prose/{i}", f"Chapter {i}. The sea was calm and grey. " * 20) for i in range(40)]
    return prose + [Document("code", f"code/{i}", f"def f{i}(x):\n    return x * {i}\n" * 20) for i in range(40)]


@pytest.fixture(scope="module")
def work(documents, tmp_path_factory):
    """A folder with an untrained model and its draft."""
    folder = tmp_path_factory.mktemp("work")
    torch.manual_seed(0)
    model, tokenizer = build_model(trainable=True), train_tokenizer(documents)
    shipped.save_checkpoint(model, tokenizer, folder / "model")
    shipped.save_checkpoint(build_draft(model), tokenizer, folder / "draft")
    return folder


@pytest.fixture(scope="module")
def out(documents, work, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipped_speculative, "PROMPTS", 3)
        patch.setattr(shipped_speculative, "DECODING", RecordConfig(max_new=4))
        shipped_speculative.ship_speculative(documents, work, {"steps_done": 3}, {"steps_done": 5}, folder)
    return folder


def test_the_recording_has_both_domains_and_both_models_in_its_provenance(out):
    trace = Trace.read(out / shipped_speculative.NAME)
    said = trace.meta.provenance
    assert said["categories"] == ["prose", "code"] * 3 and len(set(trace.sequence)) == 6
    assert said["training"] == {"steps_done": 3}
    assert said["speculative"]["draft_training"] == {"steps_done": 5}
    assert said["speculative"]["draft_layers"] == list(range(8)) and said["speculative"]["draft_length"] == 4
    assert (trace.draft_experts != ABSENT).any()
    assert speculative_stats(trace).windows >= 6


def test_figures_are_measured_and_written(out, work, documents, monkeypatch):
    monkeypatch.setattr(figures, "LOSS_WINDOWS", 1)
    monkeypatch.setattr(figures, "SHAPES", ("4,4,4,0", "1,2,1,3"))
    monkeypatch.setattr(figures, "HORIZON_PROMPTS", 1)
    monkeypatch.setattr(figures, "HORIZON_DECODING", RecordConfig(max_new=2, horizons=figures.HORIZONS))
    for domain in ("prose", "code"):
        lines = [json.dumps({"prompt": d.text[:60]}) for d in documents if d.domain == domain][:2]
        (work / f"{domain}.prompts.jsonl").write_text("\n".join(lines))
    streams = encode_split(train_tokenizer(documents), documents)
    streams = {name: np.resize(stream, 1000) for name, stream in streams.items()}
    measured = figures.measure_recorder(work, streams, out)
    assert json.loads((out / figures.FIGURES).read_text()) == measured
    assert [f["layers"] for f in measured["top_k_shapes"]] == [[4] * 8, [1, 1, 2, 2, 2, 2, 1, 1]]
    assert [f["tokens"] for f in measured["top_k_shapes"]] == [2 * 255] * 2
    assert [f["horizon"] for f in measured["hint_horizons"]] == list(range(1, 8))
    assert all(0 < f["recall"] <= 1 and f["tokens"] == 4 for f in measured["hint_horizons"])
    assert measured["speculative"].keys() == {"all", "prose", "code"}
    windows = [measured["speculative"][d]["windows"] for d in ("all", "prose", "code")]
    assert windows[0] == windows[1] + windows[2]

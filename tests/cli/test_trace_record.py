"""Does `moefetch trace record` record what its options say, and refuse the rest in one line?"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the recorder needs the `record` extra")
pytest.importorskip("transformers", reason="the recorder needs the `record` extra")

from moefetch.cli.main import app
from moefetch.traces.format import ABSENT, Trace
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def checkpoints():
    path = Path(__file__).parents[1] / "traces" / "moe_checkpoints.py"
    spec = importlib.util.spec_from_file_location("moe_checkpoints", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(checkpoints, tmp_path_factory):
    """A model with eight experts in three layers, top-2, and drafts: a dense one, and one of other words."""
    folder = tmp_path_factory.mktemp("checkpoints")
    checkpoints.ARCHITECTURES[0].save(folder / "model")
    for name, vocabulary in (("draft", 64), ("small", 50)):
        checkpoints.build_dense(vocabulary=vocabulary).save_pretrained(folder / name)
        checkpoints.save_tokenizer(folder / name)
    checkpoints.build_dense().save_pretrained(folder / "words")
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({f"v{i}": i for i in range(64)}, unk_token="v0"))
    PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(folder / "words")
    (folder / "prompts.txt").write_text("w1 w2 w3 w4 w5\nw9 w8 w7\n")
    (folder / "validation.txt").write_text("w5 w6 w7 w8\nw2 w2\n")
    return folder


def run(folder, out, *words, status=0):
    usual = ("--model", folder / "model", "--prompts", folder / "prompts.txt", "--out", out, "--max-new", 6)
    given = [str(w) for w in (*usual, "--device", "cpu", *words)]
    result = CliRunner().invoke(app, ["trace", "record", *given], env={"COLUMNS": "200"})
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result.output


def test_several_horizons_logits_and_a_batch(folder, tmp_path):
    run(folder, tmp_path / "t.parquet", "--hints", "1..2", "--hint-count", 3, "--logits", "--batch", 2)
    trace = Trace.read(tmp_path / "t.parquet")
    assert (trace.meta.hint_horizon, trace.meta.far_horizons, trace.meta.n_hints) == (1, 1, 3)
    assert trace.logits is not None and trace.logits.shape[1:] == (3, 8)
    assert trace.meta.provenance["decoding"]["batch"] == 2
    assert (trace.at_horizon(2).hints[:, 2] != ABSENT).all()


def test_a_draft_gives_windows_and_says_what_was_accepted(folder, tmp_path):
    output = run(folder, tmp_path / "t.parquet", "--draft", folder / "draft", "--draft-length", 3)
    trace = Trace.read(tmp_path / "t.parquet")
    assert trace.meta.provenance["speculative"]["draft"] == "draft"
    assert trace.meta.provenance["speculative"]["map"]["kind"].startswith("linear, fitted")
    assert (np.bincount(trace.window[trace.window >= 0]) <= 4).all()
    windows = int(trace.window.max()) + 1
    assert f"speculative, measured: {windows} windows, " in output


def test_a_shape_reports_the_change_in_loss_on_the_validation_texts(folder, tmp_path):
    words = ("--top-k-shape", "2,2,1,1", "--validation", folder / "validation.txt")
    output = run(folder, tmp_path / "t.parquet", *words)
    said = Trace.read(tmp_path / "t.parquet").meta.provenance["top_k_shape"]
    full, shaped = said["validation"]["loss_full"], said["validation"]["loss_shape"]
    assert said["layers"] == [2, 2, 1] and said["validation"]["tokens"] == 4
    change = f"{full:.4f} -> {shaped:.4f} nats a token ({shaped - full:+.4f}) with top-k 2,2,1"
    assert f"validation loss, measured over 4 tokens: {change}" in output
    assert "measured over 6 tokens" in run(folder, tmp_path / "t.parquet", "--top-k-shape", "2,2,1,1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--hints", "x"),
            "error: hints: 'x': must be MoE layers ahead: a number, a range such as 1..3, or 0 for none",
        ),
        (("--hints", "1..3"), "error: hints: 1..3: the model has 3 MoE layers: at most 2 ahead"),
        (("--hint-count", 9), "error: hint count: 9: must be 0 to 8, the model's experts"),
        (("--batch", 0), "error: batch: 0: must be at least 1"),
        (("--draft", "absent"), "error: absent: no such folder: must be that of a Hugging Face checkpoint"),
        (("--draft", "{}/small"), "error: draft small: vocabulary of 50: smaller than the tokenizer's 64"),
        (("--draft", "{}/words"), "error: draft words: its tokenizer (64 entries) is not the target's (64): "),
        (("--draft", "{}/draft", "--draft-map", "x"), "error: draft-map: 'x': must be one of auto, direct, fitted"),
        (("--draft", "{}/draft", "--batch", 2), "error: batch: 2: must be 1 with a draft"),
        (("--draft", "{}/draft", "--draft-length", 0), "error: draft length: 0: must be at least 1"),
        (("--draft-length", 8), "error: draft-length 8, draft-map auto: are for --draft, which is not given"),
        (("--top-k-shape", "2,1"), "error: top-k shape: '2,1': must be four whole numbers b,h,e,p"),
        (("--top-k-shape", "2,3,1,1"), "error: top-k shape: 2,3,1,1: peak: 3: must be 1 to 2, the model's top-k"),
        (("--validation", "x.txt"), "error: validation: x.txt: is for --top-k-shape, which is not given"),
        (("--top-k-shape", "2,1,1,1", "--validation", "x.txt"), "error: x.txt: cannot read prompts: No such file"),
    ],
)
def test_mistakes_give_one_line_and_no_file(folder, tmp_path, words, message):
    out = tmp_path / "t.parquet"
    output = run(folder, out, *(str(w).format(folder) for w in words), status=2)
    assert output.startswith(message), output
    assert output.strip().count("\n") == 0
    assert list(tmp_path.iterdir()) == []

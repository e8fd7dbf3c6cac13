"""Shipped recordings: the trained model continues held-out prose and code, and its routing is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Qwen3MoeForCausalLM

from ..atomic import replacing
from ..format import TraceMeta
from ..record_checkpoint import load_checkpoint
from ..record_config import RecordConfig
from ..record_prompts import read_prompts
from ..recorder import record
from ..writer import write_trace
from .corpus import DOMAINS, Document, provenance
from .tokenizer import END_OF_TEXT, VOCABULARY
from .train import RouterTap, Streams, TrainingConfig, describe, evaluate

DECODING = RecordConfig(max_new=120, tokens=2400, temperature=0.8, seed=1)
PROMPTS = 28
"""More than 2400 / 120, for the model may end some texts early."""
PROMPT_CHARACTERS = 240
MEASURED_WINDOWS = 96
MODEL_NAME = "moefetch-small"
LICENCE = "Apache-2.0"


def save_checkpoint(model: PreTrainedModel, tokenizer: Tokenizer, folder: Path) -> None:
    """Store model and tokenizer as an ordinary Hugging Face checkpoint."""
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END_OF_TEXT).save_pretrained(folder)


def measure(model: Qwen3MoeForCausalLM, streams: Streams) -> dict[str, dict[str, Any]]:
    """Return the model's figures on held-out text per domain, beside the unigram cross-entropy."""
    tap = RouterTap(model)
    figures: dict[str, dict[str, Any]] = {}
    for domain in DOMAINS:
        held_out = streams[f"{domain}_held_out"]
        figures[domain] = evaluate(model, tap, held_out, windows=MEASURED_WINDOWS)
        figures[domain]["unigram_loss"] = _unigram_loss(streams[f"{domain}_train"], held_out)
    return figures


def ship(documents: list[Document], checkpoint: Path, training: dict[str, Any], out: Path) -> list[TraceMeta]:
    """Record `out/prose.parquet` and `out/code.parquet` from the held-out documents.

    The prompts are kept beside the checkpoint. `training` goes into the provenance.
    """
    model, tokenizer = load_checkpoint(checkpoint, "cpu")
    metas: list[TraceMeta] = []
    for domain in DOMAINS:
        prompts = checkpoint.with_name(f"{domain}.prompts.jsonl")
        write_prompts(prompts, [d for d in documents if d.domain == domain and d.held_out])
        trace = record(
            model,
            tokenizer,
            read_prompts(prompts),
            DECODING,
            name=MODEL_NAME,
            licence=LICENCE,
            provenance={"text": f"held-out {domain}", "corpus": provenance(), "training": training},
        )
        metas.append(write_trace(out / f"{domain}.parquet", trace))
    return metas


def training_record(config: TrainingConfig, log: Path, figures: dict[str, Any]) -> dict[str, Any]:
    """Return what the provenance says about the training: settings, length, held-out figures."""
    last = json.loads(log.read_text().splitlines()[-1])
    done = {"steps_done": last["step"], "minutes_taken": last["minutes"]}
    return describe(config) | done | {"held_out": figures}


def write_prompts(
    path: Path, documents: list[Document], prompts: int = PROMPTS, characters: int = PROMPT_CHARACTERS
) -> None:
    """Take a prompt from each of `prompts` documents, spread evenly (a document may serve again further on)."""
    count = len(documents)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for index in range(prompts):
            document = documents[index * count // prompts]
            text = document.text[len(document.text) * (1 + index % 7) // 9 :]
            start = min((at + 1 for at in (text.find("\n"), text.find(". ")) if at >= 0), default=0)
            prompt = text[start : start + characters].strip(" ")
            file.write(json.dumps({"prompt": prompt, "document": document.name}) + "\n")


def _unigram_loss(train: NDArray[np.uint16], held_out: NDArray[np.uint16]) -> float:
    """Return the held-out cross-entropy in nats under the training frequencies, each count plus one."""
    counts = np.bincount(train, minlength=VOCABULARY) + 1
    return float(-np.log(counts / counts.sum())[held_out].mean())

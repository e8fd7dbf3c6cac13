"""Shipped speculative recording: the draft and the recorded model continue held-out prose and code together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..format import TraceMeta
from ..record_checkpoint import load_checkpoint
from ..record_config import RecordConfig
from ..record_draft import Draft
from ..record_prompts import read_prompts
from ..recorder import record
from ..writer import write_trace
from .corpus import DOMAINS, Document, provenance
from .shipped import LICENCE, MODEL_NAME, write_prompts

NAME = "speculative/prose-code.parquet"
"""In a folder of its own: its rows are those of windows, no plain decode steps that a replay could take one by one."""
DRAFT_NAME = "moefetch-small-draft"
DRAFT_LENGTH = 4
DECODING = RecordConfig(max_new=20)
"""Short, for a small model that decodes greedily soon repeats itself, and a draft that repeats is always right."""
PROMPTS = 110
"""For each domain."""
PROMPT_CHARACTERS = 120


def ship_speculative(
    documents: list[Document], work: Path, training: dict[str, Any], drafting: dict[str, Any], out: Path
) -> TraceMeta:
    """Record `out/speculative/` with the checkpoints `work/model` and `work/draft`, domains in turn.

    `training` and `drafting`, how the two models were made, go into the provenance, as does each sequence's
    domain.
    """
    model, tokenizer = load_checkpoint(work / "model", "cpu")
    drafter, draft_tokenizer = load_checkpoint(work / "draft", "cpu")
    texts: list[list[str]] = []
    for domain in DOMAINS:
        prompts = work / f"{domain}.speculative.jsonl"
        held_out = [d for d in documents if d.domain == domain and d.held_out]
        write_prompts(prompts, held_out, PROMPTS, PROMPT_CHARACTERS)
        texts.append(read_prompts(prompts))
    trace = record(
        model,
        tokenizer,
        [text for pair in zip(*texts, strict=True) for text in pair],
        DECODING,
        name=MODEL_NAME,
        draft=Draft(drafter, draft_tokenizer, DRAFT_NAME, DRAFT_LENGTH, provenance={"draft_training": drafting}),
        licence=LICENCE,
        provenance={
            "text": "held-out prose and code",
            "categories": list(DOMAINS) * PROMPTS,
            "corpus": provenance(),
            "training": training,
        },
    )
    (out / NAME).parent.mkdir(exist_ok=True)
    return write_trace(out / NAME, trace)

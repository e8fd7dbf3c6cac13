"""Figures of the recorder on the project's own models, measured when the recordings are made."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import replacing
from ..format import Trace
from ..record_checkpoint import load_checkpoint
from ..record_config import RecordConfig
from ..record_loss import text_loss
from ..record_prompts import read_prompts
from ..record_router import find_routers
from ..record_shape import TopKShape, top_k_shape
from ..recorder import record
from ..speculative_stats import speculative_stats
from .corpus import DOMAINS
from .model import CONTEXT
from .shipped_speculative import NAME
from .train import Streams

FIGURES = "measured.json"
SHAPES = ("4,4,4,0", "3,3,3,0", "2,2,2,0", "1,1,1,0", "4,4,1,0", "1,4,4,7", "1,4,1,3", "4,1,4,3")
"""All of the model's experts, then fewer alike, descending, ascending, a peak and a valley."""
LOSS_WINDOWS = 32
"""Held-out windows of CONTEXT tokens for each domain."""
HORIZONS = (1, 7)
HORIZON_PROMPTS = 8
"""For each domain, of the prompts of the plain recordings."""
HORIZON_DECODING = RecordConfig(max_new=60, temperature=0.8, seed=1, horizons=HORIZONS)


def measure_recorder(work: Path, streams: Streams, out: Path) -> dict[str, Any]:
    """Write `out/measured.json`: figures of the speculative recording, of top-k shapes and of hint horizons."""
    figures = {
        "speculative": speculative_figures(Trace.read(out / NAME)),
        "top_k_shapes": shape_figures(work / "model", streams),
        "hint_horizons": horizon_figures(work),
    }
    with replacing(out / FIGURES) as temporary:
        temporary.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return figures


def speculative_figures(trace: Trace) -> dict[str, dict[str, Any]]:
    """Return the speculative statistics of the whole trace and of each domain, rounded to four digits."""
    names = trace.meta.provenance["categories"]
    domain = np.array(names)[np.cumsum(trace.sequence_starts()) - 1]
    parts = {"all": trace} | {name: trace.select(domain == name) for name in DOMAINS}
    return {name: _rounded(dataclasses.asdict(speculative_stats(part))) for name, part in parts.items()}


def shape_figures(checkpoint: Path, streams: Streams) -> list[dict[str, Any]]:
    """Return for each of SHAPES the experts of each layer and the held-out loss in nats a token."""
    model, _ = load_checkpoint(checkpoint, "cpu")
    routers = find_routers(model)
    texts = []
    for domain in DOMAINS:
        stream = streams[f"{domain}_held_out"]
        places = np.linspace(0, len(stream) - CONTEXT, LOSS_WINDOWS).astype(int)
        texts += [stream[at : at + CONTEXT].tolist() for at in places]
    figures = []
    for shape in SHAPES:
        with top_k_shape(routers, TopKShape.parse(shape)) as counts:
            loss, tokens = text_loss(model, texts)
        figures.append({"shape": shape, "layers": counts, "loss": round(loss, 4), "tokens": tokens})
        print(f"top-k shape {shape}: {loss:.4f}", flush=True)
    return figures


def horizon_figures(work: Path) -> list[dict[str, Any]]:
    """Return the recall at k of hints for each horizon: the mean over decode rows and the layers that have any."""
    model, tokenizer = load_checkpoint(work / "model", "cpu")
    prompts = [p for d in DOMAINS for p in read_prompts(work / f"{d}.prompts.jsonl")[:HORIZON_PROMPTS]]
    trace = record(model, tokenizer, prompts, HORIZON_DECODING, name="measured").decode_rows()
    figures = []
    for horizon in range(HORIZONS[0], HORIZONS[1] + 1):
        hints = trace.at_horizon(horizon).hints
        assert hints is not None
        found = (trace.experts[:, horizon:, :, None] == hints[:, horizon:, None, :]).any(3)
        figures.append({"horizon": horizon, "recall": round(float(found.mean()), 4), "tokens": len(trace)})
    return figures


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    def short(value: Any) -> Any:
        return [round(x, 4) for x in value] if isinstance(value, tuple) else round(value, 4)

    return {name: short(value) for name, value in figures.items()}

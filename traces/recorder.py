"""Recorder: run a Hugging Face MoE model on prompts and keep what its routers selected, as a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor

from .errors import UserError
from .format import ABSENT, DECODE, PREFILL, Trace, TraceMeta
from .record_router import Router, RouterTap, Selection, check_hint_count, find_routers

Rows = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class RecordConfig:
    """How to decode and what to keep.

    Each prompt is continued by at most `max_new` tokens, fewer where the model ends the text, until `tokens`
    decode rows are recorded in all (None: no limit). `temperature` 0 decodes greedily; otherwise tokens are
    drawn from generator `seed` plus the prompt's index. `n_hints` None keeps top-k hints, 0 none.
    """

    max_new: int = 128
    tokens: int | None = None
    temperature: float = 0.0
    seed: int = 0
    n_hints: int | None = None

    def __post_init__(self) -> None:
        if self.max_new < 1 or (self.tokens is not None and self.tokens < 1):
            raise UserError(f"max-new {self.max_new}, tokens {self.tokens}: must be at least 1")
        if not 0 <= self.temperature < float("inf"):
            raise UserError(f"temperature: {self.temperature}: must be 0 or more")


def record(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    config: RecordConfig,
    *,
    name: str,
    licence: str = "not stated",
    provenance: dict[str, Any] | None = None,
    progress: Callable[[int], None] = lambda decoded: None,
) -> Trace:
    """Decode every prompt with a KV cache, one sequence at a time, and return the trace.

    A row is a token that the model processed: the prompt's tokens are prefill rows, every generated token is
    a decode row. `progress` is told the decode rows so far. Memory grows with the trace alone,
    by 8 bytes per layer and expert and token with hints, 4 without.

    Raises `UserError` for a model without routers, a wrong hint count, a prompt that does not fit.
    """
    routers = find_routers(model)
    n_hints = routers[0].top_k if config.n_hints is None else config.n_hints
    check_hint_count(routers, n_hints)
    parts: list[Rows] = []
    decoded = 0
    with RouterTap(routers, n_hints) as tap:
        for index, prompt in enumerate(prompts):
            limit = config.max_new if config.tokens is None else min(config.max_new, config.tokens - decoded)
            if limit < 1:
                break
            ids = _prompt_ids(model, tokenizer, prompt, index, limit)
            rows: list[Rows] = []
            for part in _decode(model, tap, ids, limit, config, seed=config.seed + index):
                rows.append(part)
                decoded += int((part["phase"] == DECODE).sum())
                progress(decoded)
            parts.append(_sequence(index, rows))
    meta = TraceMeta(
        model=name,
        layers=tuple(r.number for r in routers),
        n_experts=routers[0].n_experts,
        top_k=routers[0].top_k,
        n_hints=n_hints,
        hint_horizon=1 if n_hints else 0,
        licence=licence,
        provenance=_provenance(model, routers, config) | (provenance or {}),
        recorder={"torch": torch.__version__, "transformers": transformers.__version__},
    )
    return Trace(meta, **{key: np.concatenate([p[key] for p in parts]) for key in parts[0]})


def _prompt_ids(model: Any, tokenizer: Any, prompt: str, index: int, new: int) -> list[int]:
    """Return the prompt's tokens; they and `new` more must fit the model's positions."""
    ids: list[int] = tokenizer(prompt)["input_ids"]
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if not ids:
        raise UserError(f"prompt {index + 1}: has no tokens")
    if positions is not None and len(ids) + new > positions:
        raise UserError(
            f"prompt {index + 1}: {len(ids)} tokens and {new} new ones: the model has {positions} positions"
        )
    return ids


@torch.no_grad()
def _decode(model: Any, tap: RouterTap, ids: list[int], limit: int, config: RecordConfig, seed: int) -> Iterator[Rows]:
    """Yield the prefill's rows, then one decode row per generated token."""
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    ends = _end_tokens(model)
    output = model(input_ids=torch.tensor([ids], device=device), use_cache=True)
    yield _rows(tap, ids, PREFILL)
    for _ in range(limit):
        token = _next_token(output.logits[0, -1], config.temperature, generator)
        if token in ends:
            return
        output = model(
            input_ids=torch.tensor([[token]], device=device),
            past_key_values=output.past_key_values,
            use_cache=True,
        )
        yield _rows(tap, [token], DECODE)


def _next_token(logits: Tensor, temperature: float, generator: torch.Generator) -> int:
    """Return the best token, or one drawn at `temperature` (on the CPU, so that every device draws alike)."""
    if temperature == 0:
        return int(logits.argmax())
    probabilities = (logits.float().cpu() / temperature).softmax(-1)
    return int(torch.multinomial(probabilities, 1, generator=generator))


def _end_tokens(model: Any) -> set[int]:
    """Return the tokens that end a text, from the model's generation settings or configuration."""
    settings = getattr(model, "generation_config", None)
    end = getattr(settings, "eos_token_id", None)
    end = model.config.get_text_config().eos_token_id if end is None else end
    return set() if end is None else set(end) if isinstance(end, list) else {end}


def _rows(tap: RouterTap, tokens: list[int], phase: int) -> Rows:
    """Turn what the tap holds of one forward pass into rows of the trace."""
    selections, hints = tap.take()
    rows: Rows = {
        "phase": np.full(len(tokens), phase, np.uint8),
        "token": np.asarray(tokens, np.int32),
        "experts": _stack([s.experts for s in selections], np.uint16),
        "scores": _stack([s.scores for s in selections], np.float16),
    }
    if tap.n_hints:
        known = [_absent(len(tokens), tap.n_hints) if s is None else s for s in hints]
        rows["hints"] = _stack([s.experts for s in known], np.uint16)
        rows["hint_scores"] = _stack([s.scores for s in known], np.float16)
    return rows


def _stack(layers: list[Tensor], dtype: type[np.generic]) -> NDArray[Any]:
    """Return `[T, L, n]` of per-layer tensors `[T, n]`, which may lie on several devices."""
    return np.stack([x.cpu().numpy() for x in layers], axis=1).astype(dtype)


def _absent(tokens: int, count: int) -> Selection:
    """Return the hints of a layer that has none."""
    return Selection(experts=torch.full((tokens, count), ABSENT), scores=torch.zeros(tokens, count))


def _sequence(index: int, rows: list[Rows]) -> Rows:
    """Join the rows of one sequence and number them."""
    joined = {key: np.concatenate([r[key] for r in rows]) for key in rows[0]}
    count = len(joined["token"])
    numbers = {"sequence": np.full(count, index, np.int32), "position": np.arange(count, dtype=np.int32)}
    return numbers | joined


def _provenance(model: Any, routers: list[Router], config: RecordConfig) -> dict[str, Any]:
    """Say how the trace was made."""
    return {
        "source": "recorded by moefetch trace record",
        "architecture": type(model).__name__,
        "router": type(routers[0].module).__name__,
        "scores": "the router's weights of the selected experts, as the model uses them",
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "decoding": asdict(config),
    }

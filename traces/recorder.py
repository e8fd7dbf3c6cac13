"""Recorder: run a Hugging Face MoE model on prompts and keep what its routers selected, as a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
import transformers

from .errors import UserError
from .format import DECODE, Trace, TraceMeta
from .record_checkpoint import position_count
from .record_config import RecordConfig
from .record_draft import Draft, DraftPredictor, check_draft
from .record_loss import text_loss
from .record_plain import PlainDecoder
from .record_router import Router, check_hint_count, find_routers
from .record_rows import Rows, join_rows, take_rows
from .record_shape import top_k_shape
from .record_speculative import SpeculativeDecoder
from .record_tap import RouterTap

Progress = Callable[[int], None]


def record(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    config: RecordConfig,
    *,
    name: str,
    draft: Draft | None = None,
    validation: Sequence[str] | None = None,
    licence: str = "not stated",
    provenance: dict[str, Any] | None = None,
    progress: Progress = lambda decoded: None,
) -> Trace:
    """Decode every prompt with a KV cache and return the trace.

    A row is a token that the model processed: the prompt's tokens are prefill rows, every generated token is
    a decode row. With a `draft`, the decode rows are those of verification windows, rejected tokens included.
    With a top-k shape, the provenance has the loss on the `validation` texts (default: the prompts) with and
    without it. `progress` is told the decode rows so far. Memory grows with the trace alone.

    Raises `UserError` for a model without routers, a wrong hint count or horizon, a prompt that does not fit,
    a draft that does not fit the model, a top-k shape that does not.
    """
    if draft is not None:
        _check_speculative(draft, model, tokenizer, config)
    texts = _token_ids(tokenizer, "prompt", prompts)
    judged = texts if validation is None else _token_ids(tokenizer, "validation text", validation)
    routers = find_routers(model)
    with _routing(model, routers, config, judged) as (top_k, said):
        n_hints = top_k if config.n_hints is None else config.n_hints
        check_hint_count(routers, n_hints)
        horizons = _horizons(config, len(routers))
        predictor = None if draft is None else DraftPredictor(draft, model, routers, n_hints)
        if predictor is not None:
            said |= {"speculative": predictor.prepare(texts)}
        with RouterTap(routers, n_hints, horizons, logits=config.logits) as tap, predictor or nullcontext():
            if predictor is None:
                decoder = PlainDecoder(model, tap, config.temperature, top_k)
            else:
                decoder = SpeculativeDecoder(model, tap, predictor, top_k)
            positions = position_count(model, *(() if draft is None else (draft.model,)))
            parts = list(_sequences(decoder, texts, config, _end_tokens(model), positions, progress))
    has_hints = n_hints > 0 and (len(horizons) > 0 or draft is not None)
    meta = TraceMeta(
        model=name,
        layers=tuple(r.number for r in routers),
        n_experts=routers[0].n_experts,
        top_k=top_k,
        n_hints=n_hints if has_hints else 0,
        hint_horizon=max(1, horizons.start) if has_hints else 0,
        far_horizons=max(0, len(horizons) - 1) if has_hints else 0,
        licence=licence,
        provenance=_provenance(model, routers, config) | said | (provenance or {}),
        recorder={"torch": torch.__version__, "transformers": transformers.__version__},
    )
    return Trace(meta, **join_rows(parts))


def _check_speculative(draft: Draft, model: Any, tokenizer: Any, config: RecordConfig) -> None:
    """Refuse what speculative decoding here does not do, and a draft that is not of the model's family."""
    for option, value, usual in (("batch", config.batch, 1), ("temperature", config.temperature, 0)):
        if value != usual:
            raise UserError(
                f"{option}: {value}: must be {usual} with a draft: it is verified greedily, one text at a time"
            )
    if config.n_hints == 0:
        raise UserError("hint count: 0: must be at least 1 with a draft: its predictions are as many")
    check_draft(draft, model, tokenizer)


@contextmanager
def _routing(
    model: Any, routers: list[Router], config: RecordConfig, judged: Sequence[Sequence[int]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give the model its top-k shape, if there is one; yields the largest top-k and what the provenance says."""
    if config.shape is None:
        yield routers[0].top_k, {}
        return
    with top_k_shape(routers, config.shape):
        pass  # refuses a wrong shape before the loss is measured
    full, count = text_loss(model, judged)
    with top_k_shape(routers, config.shape) as counts:
        figures = {"tokens": count, "loss_full": full, "loss_shape": text_loss(model, judged)[0]}
        yield max(counts), {"top_k_shape": {"shape": str(config.shape), "layers": counts, "validation": figures}}


def _horizons(config: RecordConfig, n_layers: int) -> range:
    """Return the MoE layers ahead that hints are made for."""
    if config.horizons is None or config.n_hints == 0:
        return range(0)
    first, last = config.horizons
    if last > max(1, n_layers - 1):
        rule = f"the model has {n_layers} MoE layers: at most {n_layers - 1} ahead"
        asked = f"{first}..{last}" if last > first else str(first)
        raise UserError(f"hints: {asked}: {rule}")
    return range(first, last + 1)


def _sequences(
    decoder: PlainDecoder | SpeculativeDecoder,
    prompts: Sequence[list[int]],
    config: RecordConfig,
    ends: set[int],
    positions: int | None,
    progress: Progress,
) -> Iterator[Rows]:
    """Yield the rows of each sequence, until the wanted number of decode rows is there."""
    if config.tokens is None:  # all will be decoded: a prompt that does not fit is found before the work
        _check_lengths(range(len(prompts)), prompts, config.max_new, positions)
    decoded = 0
    for first in range(0, len(prompts), config.batch):
        group = range(first, min(first + config.batch, len(prompts)))
        limit = _rows_left(config, decoded)
        if limit < 1:
            return
        ids = [prompts[index] for index in group]
        _check_lengths(group, ids, limit, positions)
        parts: list[list[Rows]] = [[] for _ in ids]
        done = decoded
        for place, rows in decoder.decode(ids, limit, [config.seed + index for index in group], ends):
            parts[place].append(rows)
            done += int(_decoded(rows).sum())
            progress(done if config.tokens is None else min(done, config.tokens))
        for index, part in zip(group, parts, strict=True):
            left = _rows_left(config, decoded)
            if left < 1:
                return
            rows = join_rows(part)
            kept = np.cumsum(_decoded(rows))
            decoded += int(min(kept[-1], left))
            yield _numbered(index, take_rows(rows, kept <= left))


def _rows_left(config: RecordConfig, decoded: int) -> int:
    return config.max_new if config.tokens is None else min(config.max_new, config.tokens - decoded)


def _decoded(rows: Rows) -> np.ndarray:
    """Return which rows are tokens that were decoded and stayed."""
    return (rows["phase"] == DECODE) & rows.get("accepted", True)


def _numbered(index: int, rows: Rows) -> Rows:
    """Add sequence and position to the rows of one sequence."""
    count = len(rows["token"])
    return {"sequence": np.full(count, index, np.int32), "position": np.arange(count, dtype=np.int32)} | rows


def _token_ids(tokenizer: Any, kind: str, texts: Sequence[str]) -> list[list[int]]:
    """Return the tokens of each text, at least one."""
    found: list[list[int]] = [tokenizer(text)["input_ids"] for text in texts]
    for number, ids in enumerate(found, start=1):
        if not ids:
            raise UserError(f"{kind} {number}: has no tokens")
    return found


def _check_lengths(group: range, texts: Sequence[list[int]], new: int, positions: int | None) -> None:
    """Refuse a prompt that does not fit the positions together with `new` tokens."""
    for index, ids in zip(group, texts, strict=True):
        if positions is not None and len(ids) + new > positions:
            rule = f"the model has {positions} positions"
            raise UserError(f"prompt {index + 1}: {len(ids)} tokens and {new} new ones: {rule}")


def _end_tokens(model: Any) -> set[int]:
    """Return the tokens that end a text, from the model's generation settings or configuration."""
    settings = getattr(model, "generation_config", None)
    end = getattr(settings, "eos_token_id", None)
    end = model.config.get_text_config().eos_token_id if end is None else end
    return set() if end is None else set(end) if isinstance(end, list) else {end}


def _provenance(model: Any, routers: list[Router], config: RecordConfig) -> dict[str, Any]:
    """Say how the trace was made."""
    return {
        "source": "recorded by moefetch trace record",
        "architecture": type(model).__name__,
        "router": type(routers[0].module).__name__,
        "scores": "the router's weights of the selected experts, as the model uses them",
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "decoding": config.describe(),
    }

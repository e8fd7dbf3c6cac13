"""Rows of a trace, made of what a router tap captured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .format import ABSENT
from .record_router import Selection
from .record_tap import Captured

Rows = dict[str, NDArray[Any]]
"""Columns of a trace by name, each [T, ...]."""


def captured_rows(captured: Captured, top_k: int, n_hints: int) -> Rows:
    """Return the columns that a forward pass of T tokens fills: experts, scores, hints, logits."""
    tokens = next(len(s.experts) for s in captured.selections if s is not None)
    rows = _ranked(captured.selections, tokens, top_k, ("experts", "scores"))
    parts = [_ranked(h, tokens, n_hints, ("hints", "hint_scores")) for h in captured.hints.values()]
    if parts:
        rows |= parts[0]
    if len(parts) > 1:
        for near, far in (("hints", "far_hints"), ("hint_scores", "far_scores")):
            rows[far] = np.concatenate([part[near] for part in parts[1:]], axis=2)
    if captured.logits:
        logits = [_numpy(x) for x in captured.logits if x is not None]
        rows["logits"] = np.stack(logits, axis=1).astype(np.float16)
    return rows


def expert_rows(layers: Sequence[Selection | None], tokens: int, width: int) -> NDArray[np.uint16]:
    """Return `[tokens, L, width]` expert ids, 0xFFFF where a layer has fewer or none."""
    return _ranked(layers, tokens, width, ("experts", "scores"))["experts"]


def take_rows(rows: Rows, which: slice | NDArray[Any]) -> Rows:
    """Return some of the rows."""
    return {name: values[which] for name, values in rows.items()}


def join_rows(parts: Sequence[Rows]) -> Rows:
    """Return the rows of `parts`, at least one, one after another."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _ranked(layers: Sequence[Selection | None], tokens: int, width: int, names: tuple[str, str]) -> Rows:
    """Return ids and scores `[tokens, L, width]`; layers may have fewer, and lie on several devices."""
    ids = np.full((tokens, len(layers), width), ABSENT, np.uint16)
    scores = np.zeros(ids.shape, np.float16)
    for index, layer in enumerate(layers):
        if layer is not None:
            count = layer.experts.shape[1]
            ids[:, index, :count] = _numpy(layer.experts)
            scores[:, index, :count] = _numpy(layer.scores)
    return dict(zip(names, (ids, scores), strict=True))


def _numpy(x: Tensor) -> NDArray[Any]:
    return x.cpu().numpy()

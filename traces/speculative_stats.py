"""Statistics of a speculative recording: what was accepted, and what the draft knew of the target's routing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import UserError
from .format import ABSENT, Trace


@dataclass(frozen=True)
class SpeculativeStats:
    """Figures over the `windows` of a trace; shares and recalls in 0..1, all measured on the trace.

    acceptance: accepted drafted tokens / drafted tokens. mean_accepted: accepted drafted tokens / windows.
    tokens_per_window: rows that stayed / windows, one more than mean_accepted. predicted_rows: share of the
    windows' rows with draft-side predictions. recall: per MoE layer, the share of a row's experts among its
    first top-k predictions, over the rows that have predictions. window_recall: per MoE layer, the share of a
    window's distinct experts (of all its rows, with predictions or without) among the union of its predictions.
    """

    windows: int
    drafted: int
    acceptance: float
    mean_accepted: float
    tokens_per_window: float
    predicted_rows: float
    recall: tuple[float, ...]
    window_recall: tuple[float, ...]

    @property
    def mean_recall(self) -> float:
        """Mean of `recall` over layers."""
        return float(np.mean(self.recall))

    @property
    def mean_window_recall(self) -> float:
        """Mean of `window_recall` over layers."""
        return float(np.mean(self.window_recall))


def speculative_stats(trace: Trace) -> SpeculativeStats:
    """Statistics of the rows in windows; UserError for a trace that has none, or no predictions."""
    if trace.window is None or trace.accepted is None or trace.draft_experts is None:
        raise UserError("the trace has no speculative windows: record it with a draft model")
    rows = trace.select(trace.window >= 0)
    assert rows.window is not None and rows.accepted is not None and rows.draft_experts is not None
    if not len(rows):
        raise UserError("the trace has no row in a window")
    starts = np.r_[True, rows.window[1:] != rows.window[:-1]] | rows.sequence_starts()
    windows, drafted = int(starts.sum()), int((~starts).sum())
    accepted = int(rows.accepted[~starts].sum())
    predictions = rows.draft_experts[:, :, : rows.meta.top_k]
    known = (predictions != ABSENT).any((1, 2))
    needed, found = _sets(rows.experts, rows.meta.n_experts), _sets(predictions, rows.meta.n_experts)
    group = np.flatnonzero(starts)
    union = np.logical_or.reduceat(needed, group), np.logical_or.reduceat(found, group)
    return SpeculativeStats(
        windows=windows,
        drafted=drafted,
        acceptance=accepted / drafted if drafted else 0.0,
        mean_accepted=accepted / windows,
        tokens_per_window=int(rows.accepted.sum()) / windows,
        predicted_rows=float(known.mean()),
        recall=_recall(needed[known], found[known]),
        window_recall=_recall(*union),
    )


def _sets(ids: NDArray[np.uint16], n_experts: int) -> NDArray[np.bool_]:
    """Return `[T, L, E]`: whether the expert is among the ids."""
    member = np.zeros((*ids.shape[:2], n_experts + 1), bool)
    np.put_along_axis(member, np.minimum(ids, n_experts).astype(np.int64), True, axis=2)
    return member[:, :, :n_experts]


def _recall(needed: NDArray[np.bool_], found: NDArray[np.bool_]) -> tuple[float, ...]:
    """Return per layer the share of needed experts that were found, each row weighing the same."""
    counts = needed.sum(2)
    shares = (needed & found).sum(2) / np.maximum(counts, 1)
    return tuple(float(shares[counts[:, layer] > 0, layer].mean()) for layer in range(needed.shape[1]))

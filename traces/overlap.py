"""Overlap of each token's experts with the previous token's, the trace's first sign of locality."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .format import ABSENT, Trace


def previous_token_overlap(rows: Trace) -> NDArray[np.float64]:
    """[T-1, L]: of the experts of row t+1, the share that row t selected too in the same layer.

    NaN where the two rows belong to different sequences, or one of them has no experts in the layer.
    """
    by_index = np.ascontiguousarray(rows.experts.transpose(2, 1, 0))  # long contiguous axis: 8 times faster
    present = by_index != ABSENT
    shared = np.zeros((rows.meta.n_layers, max(0, len(rows) - 1)), np.int32)
    for expert, is_present in zip(by_index[:, :, 1:], present[:, :, 1:], strict=True):
        for previous in by_index[:, :, :-1]:
            shared += (expert == previous) & is_present
    size = present.sum(0).T
    comparable = (size[1:] > 0) & (size[:-1] > 0) & ~rows.sequence_starts()[1:, None]
    return np.where(comparable, shared.T / np.maximum(size[1:], 1), np.nan)


class RowCarry:
    """Joins each batch to the last row of the one before, so that consecutive rows stay together."""

    def __init__(self) -> None:
        self._last: Trace | None = None

    def join(self, batch: Trace) -> Trace:
        """The batch, with the previous batch's last row in front if there was one."""
        joined = batch if self._last is None else Trace.concatenate([self._last, batch])
        self._last = batch.select(slice(len(batch) - 1, len(batch)))
        return joined

"""Recall of a ranking against the number of experts that it names."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..traces.format import ABSENT
from .named_by_weights import ranked_recall


class RecallCurves(NamedTuple):
    """Recall of the first 0, 1, 2, .. experts named: of layers 1 and up; of layer 0, None if none are named there."""

    later: tuple[float, ...]
    layer_0: tuple[float, ...] | None

    @classmethod
    def of(cls, experts: NDArray[Any], named: NDArray[Any]) -> "RecallCurves":
        """Measure `named` [T, L, M], best first (0xFFFF for none), against the selected `experts` [T, L, K]."""
        numbers = tuple(range(named.shape[2] + 1))
        layer_0 = None
        if (named[:, 0] != ABSENT).any():
            layer_0 = ranked_recall(experts[:, :1], named[:, :1], numbers)
        return cls(ranked_recall(experts[:, 1:], named[:, 1:], numbers), layer_0)

    def at(self, budgets: tuple[int, ...]) -> tuple[float, ...]:
        """Return the recall at each budget, at a larger one than it names that of all it names."""
        return tuple(self.later[min(budget, len(self.later) - 1)] for budget in budgets)

    def layer_0_at(self, budgets: tuple[int, ...]) -> tuple[float, ...] | None:
        """Return the same for layer 0."""
        return None if self.layer_0 is None else RecallCurves(self.layer_0, None).at(budgets)

    def needed(self, recall: float) -> float | None:
        """Return the mean number of experts, best first, for a recall; None if it never gets there."""
        return float(np.interp(recall, self.later, np.arange(len(self.later)))) if self.later[-1] >= recall else None

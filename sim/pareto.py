"""The Pareto front: what nothing else is at least as good as in every objective, and better in one."""

from collections.abc import Sequence

import numpy as np


def pareto_front(values: Sequence[Sequence[float]]) -> list[int]:
    """Return the places of those on the front, ascending; all objectives are to be small. Of equals all are on it.

    In lexicographic order only an earlier one dominates, and one on the front dominates if any does.
    """
    if not len(values):
        return []
    points = np.asarray(values, float)
    front: list[int] = []
    kept = np.empty_like(points)
    for place in np.lexsort(points.T[::-1]):
        mine, found = points[place], kept[: len(front)]
        if not ((found <= mine).all(axis=1) & (found != mine).any(axis=1)).any():
            kept[len(front)] = mine
            front.append(int(place))
    return sorted(front)

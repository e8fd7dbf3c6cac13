"""The Pareto front: what nothing else is at least as good as in every objective, and better in one."""

from collections.abc import Sequence


def pareto_front(values: Sequence[Sequence[float]]) -> list[int]:
    """Return the places of those on the front, ascending; all objectives are to be small. Of equals all are on it."""
    return [place for place, mine in enumerate(values) if not any(_dominates(other, mine) for other in values)]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)

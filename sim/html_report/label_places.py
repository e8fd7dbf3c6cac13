"""Places for the names of points, so that none lies on another or on a point."""

from collections.abc import Sequence
from typing import Any, NamedTuple

CHARACTER, LINE = 7.0, 15.0
"""Size of a letter, in pixels."""
SMALL = 7.0
"""Radius of a point, in pixels, that `PLACES` are for."""


class Place(NamedTuple):
    """Where a name stands beside its point: `dx` and `dy` in pixels, and how it is aligned."""

    dx: int
    dy: int
    align: str


PLACES = (
    Place(0, -14, "center"), Place(0, 16, "center"), Place(11, 1, "left"), Place(-11, 1, "right"),
    Place(11, -14, "left"), Place(11, 16, "left"), Place(-11, -14, "right"), Place(-11, 16, "right"),
    Place(0, -30, "center"), Place(0, 32, "center"),
)  # fmt: skip
"""In the order in which they are tried."""
Box = tuple[float, float, float, float]


def away(place: Place, radius: float) -> Place:
    """Return a place farther from its point, for a point of a larger `radius` in pixels than `SMALL`."""
    more = radius / SMALL
    return Place(round(place.dx * more), round(place.dy * more), place.align)


def placed(rows: Sequence[dict[str, Any]], size: tuple[float, float], radius: float = SMALL) -> list[dict[str, Any]]:
    """Return rows (`x`, `y`, `policy`) with the number of a `place` for each name, on a chart of `size` pixels."""
    points = [_pixels(row, rows, size) for row in rows]
    taken: list[Box] = [(x - radius, y - radius, x + radius, y + radius) for x, y in points]
    found = []
    for number, (row, point) in enumerate(zip(rows, points, strict=True)):
        others = taken[:number] + taken[number + 1 :]
        boxes = [_box(row["policy"], point, away(place, radius)) for place in PLACES]
        choice = min(range(len(PLACES)), key=lambda place: (_overlaps(boxes[place], others), place))
        taken.append(boxes[choice])
        found.append({**row, "place": choice})
    return found


def _pixels(row: dict[str, Any], rows: Sequence[dict[str, Any]], size: tuple[float, float]) -> tuple[float, float]:
    ends = [(min(r[axis] for r in rows), max(r[axis] for r in rows)) for axis in ("x", "y")]
    across, up = ((row[axis] - low) / ((high - low) or 1) for axis, (low, high) in zip(("x", "y"), ends, strict=True))
    return size[0] * across, size[1] * (1 - up)


def _box(text: str, point: tuple[float, float], place: Place) -> Box:
    width = CHARACTER * len(text)
    left = point[0] + place.dx - {"left": 0.0, "center": width / 2, "right": width}[place.align]
    top = point[1] + place.dy - LINE / 2
    return left, top, left + width, top + LINE


def _overlaps(box: Box, others: Sequence[Box]) -> int:
    return sum(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in others)

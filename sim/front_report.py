"""What a search writes and shows: its points, the front among them, and what must be read with it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.table import Table

from ..traces.atomic import replacing
from .explore import OBJECTIVES
from .point_columns import Row, columns, to_table, with_baselines
from .sweep_spec import SweepSpec
from .sweep_table import points_table, shown_columns

FRONT_JSON = "front.json"
FRONT_VERSION = 1
ON_FRONT = "on_front"
FRONT_TEXT = "no other point of the search is as good in all objectives and better in one"


def front_table(rows: Sequence[Row], front: Sequence[int], metadata: dict[str, Any]) -> pa.Table:
    """Return the columns of all results, and `on_front`."""
    table = to_table(rows, metadata)
    said = {"kind": "figure", "label": "modelled", "unit": "", "formula": FRONT_TEXT}
    members = set(front)
    values = pa.array([place in members for place in range(len(rows))], pa.bool_())
    return table.append_column(pa.field(ON_FRONT, pa.bool_(), metadata=said), values)


def write_front(
    rows: Sequence[Row], front: Sequence[int], metadata: dict[str, Any], spec: SweepSpec, out: Path
) -> Path:
    """Write `out`/front.json, whole or not at all: each member's point, parameters and objectives."""
    members = _ordered(rows, front)
    names = ["point", *shown_columns(list(spec.varied))]
    document = {
        "front_version": FRONT_VERSION,
        **metadata,
        "objectives": {name: _meaning(name) for name in OBJECTIVES},
        "front": [{name: row[name] for name in (*names, *OBJECTIVES)} for row in members],
    }
    with replacing(out / FRONT_JSON) as temporary:
        temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return out / FRONT_JSON


def shown_front(rows: Sequence[Row], front: Sequence[int], spec: SweepSpec) -> Table:
    """Return the table of the front, the fastest first."""
    title = f"the front: {len(front)} of {len(rows)} points, the fastest first"
    return points_table(title, with_baselines(_ordered(rows, front)), shown_columns(list(spec.varied)))


def _meaning(name: str) -> dict[str, str]:
    column = columns()[name]
    return {"label": column.label, "unit": column.unit, "formula": column.formula}


def _ordered(rows: Sequence[Row], front: Sequence[int]) -> list[Row]:
    return sorted((rows[place] for place in front), key=lambda row: [row[name] for name in OBJECTIVES])

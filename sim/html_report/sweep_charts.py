"""The points of a sweep or a search: time, link bytes and storage, and which of them nothing beats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..explore import OBJECTIVES
from ..pareto import pareto_front
from ..point_store import RESULTS, read_results
from .style import BLUE, DIM, PALE, VERMILION, altair, data

COLUMNS = ("policy", "slots", *OBJECTIVES)


def sweep_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the points of a folder's results with all objectives known, and whether each is on the front.

    Raises UserError for a file that is no results.
    """
    path = folder / RESULTS
    if not path.exists():
        return []
    table = read_results(path)
    rows = table.select([name for name in COLUMNS if name in table.column_names]).to_pylist()
    whole = [row for row in rows if all(row.get(name) is not None for name in OBJECTIVES)]
    front = set(pareto_front([[row[name] for name in OBJECTIVES] for row in whole]))
    time, link, storage = OBJECTIVES
    return [
        {"policy": row["policy"], "slots": row.get("slots"), "us": row[time], "mb": row[link] / 1e6,
         "mbit": row[storage] / 1e6, "on": "on the front" if place in front else "beaten"}
        for place, row in enumerate(whole)
    ]  # fmt: skip


def sweep_chart(rows: list[dict[str, Any]]) -> Any:
    """Return time against link bytes, a point's size its storage, those on the front in colour."""
    alt = altair()
    kinds = alt.Scale(domain=["on the front", "beaten"], range=[VERMILION, PALE])
    return (
        alt.Chart(data(rows), height=380)
        .mark_circle(opacity=0.8, stroke=BLUE, strokeWidth=0.5)
        .encode(
            x=alt.X("mb:Q", title="link MB a token", axis=alt.Axis(format=",.6~g"), scale=alt.Scale(zero=False)),
            y=alt.Y("us:Q", title="mean TPOT, microseconds", scale=alt.Scale(zero=False)),
            size=alt.Size("mbit:Q", title="storage, Mbit", scale=alt.Scale(range=[30, 500])),
            color=alt.Color("on:N", scale=kinds, legend=alt.Legend(title=None, labelColor=DIM)),
            order=alt.Order("on:N"),
            tooltip=["policy:N", "slots:Q", alt.Tooltip("us:Q", format=",.1f", title="TPOT, us"),
                     alt.Tooltip("mb:Q", format=",.3~g", title="link MB"),
                     alt.Tooltip("mbit:Q", format=",.4~g", title="storage, Mbit")],
        )
    )  # fmt: skip

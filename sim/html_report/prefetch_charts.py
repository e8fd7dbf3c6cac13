"""Charts of what was prefetched: accuracy against coverage, slack, hits by layer, and the front of time and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..pareto import pareto_front
from .folder import Compared
from .label_places import PLACES, SMALL, away, placed
from .style import BLUE, DIM, GREEN, GREY, INK, ORANGE, VERMILION, altair, data
from .time_charts import ORACLES

LARGE = 14.0
"""Radius in pixels that names keep clear of where a point's size says something."""
TENTHS = [tenth / 10 for tenth in range(-10, 11)]
SAME = 0.01
"""Points closer than this share of an axis' span are one point with several names."""


def accuracy_rows(compared: Compared) -> list[dict[str, Any]]:
    """Return coverage, accuracy and wasted bytes of every policy that prefetched; those in one place as one row."""
    rows = []
    for name, policy in compared.policies.items():
        coverage, accuracy = compared.value(name, "coverage"), compared.value(name, "accuracy")
        if policy["prefetches"] and coverage is not None and accuracy is not None:
            wasted = compared.value(name, "wasted_bytes_per_token") or 0
            kind = "knows the future" if name in ORACLES else "can be built"
            rows.append({"policy": name, "x": coverage, "y": accuracy, "wasted": wasted / 1e6, "kind": kind})
    return merged(rows, 1, 1)


def merged(rows: Sequence[dict[str, Any]], width: float, height: float) -> list[dict[str, Any]]:
    """Return rows with those that lie in one place as one, named by all of them."""
    found: list[dict[str, Any]] = []
    for row in rows:
        near = next(
            (f for f in found if abs(f["x"] - row["x"]) < SAME * width and abs(f["y"] - row["y"]) < SAME * height), None
        )
        if near is None:
            found.append(dict(row))
        else:
            near["policy"] += f", {row['policy']}"
    return found


def accuracy_chart(compared: Compared) -> Any:
    """Return accuracy against coverage, a point's size its wasted bytes a token."""
    alt, rows = altair(), accuracy_rows(compared)
    low = min([0.0, *(row["x"] for row in rows)])
    x = alt.X("x:Q", title="coverage", axis=alt.Axis(format=".0%", values=TENTHS), scale=alt.Scale(domain=[low, 1.18]))
    y = alt.Y("y:Q", title="accuracy", axis=alt.Axis(format=".0%", values=TENTHS), scale=alt.Scale(domain=[0, 1.08]))
    base = alt.Chart(data(rows), height=380)
    side = alt.Legend(title="wasted MB a token", orient="right", direction="vertical")
    points = base.mark_circle(opacity=0.75, stroke="white").encode(
        x=x,
        y=y,
        size=alt.Size("wasted:Q", title="wasted MB a token", scale=alt.Scale(range=[60, 1200], zero=True), legend=side),
        color=_kind(),
        tooltip=["policy:N", alt.Tooltip("x:Q", format=".1%", title="coverage"),
                 alt.Tooltip("y:Q", format=".1%", title="accuracy"),
                 alt.Tooltip("wasted:Q", format=",.3~g", title="wasted MB a token")],
    )  # fmt: skip
    return alt.layer(points, *_names(placed(rows, (620, 340), LARGE), x, y, LARGE))


def slack_rows(compared: Compared) -> list[dict[str, Any]]:
    """Return the histogram of slack in microseconds, as shares of a policy's used prefetches."""
    if compared.detail is None:
        return []
    edges, size = compared.detail["slack_edges"], compared.microseconds_per_cycle
    rows = []
    for name, found in compared.detail["policies"].items():
        total = sum(found["slack"])
        for count, begin, end in zip(found["slack"], edges, edges[1:], strict=False):
            if total:
                rows.append({"policy": name, "from": begin * size, "to": end * size, "share": count / total,
                             "when": "late" if begin < 0 else "in time"})  # fmt: skip
    return rows


def slack_chart(compared: Compared) -> Any:
    """Return a histogram for each policy that prefetched."""
    alt, rows = altair(), slack_rows(compared)
    names = list(dict.fromkeys(row["policy"] for row in rows))
    return (
        alt.Chart(data(rows), width=290, height=110)
        .mark_bar(binSpacing=0.5)
        .encode(
            x=alt.X("from:Q", bin="binned", title="microseconds from completion to use", axis=alt.Axis(format=",.6~g")),
            x2="to:Q",
            y=alt.Y("share:Q", title="share", axis=alt.Axis(format=".0%", tickCount=3)),
            color=alt.Color("when:N", scale=alt.Scale(domain=["late", "in time"], range=[VERMILION, BLUE])),
            tooltip=["policy:N", alt.Tooltip("from:Q", format=",.1f"), alt.Tooltip("share:Q", format=".1%")],
            facet=alt.Facet("policy:N", columns=3, sort=names, title=None, header=alt.Header(labelFontWeight="bold")),
        )
    )


def layer_rows(compared: Compared) -> list[dict[str, Any]]:
    """Return the hit rate of each layer and policy."""
    if compared.detail is None:
        return []
    return [
        {"policy": name, "layer": layer, "hit": counts["hit"] / counts["demand"], "late": counts["late"]}
        for name, found in compared.detail["policies"].items()
        for layer, counts in enumerate(found["layers"])
        if counts["demand"]
    ]


def layer_chart(compared: Compared) -> Any:
    """Return the hit rate as a heat map of policies and layers, its figures in the cells where there is room."""
    alt, rows = altair(), layer_rows(compared)
    base = alt.Chart(data(rows), height=24 * len({row["policy"] for row in rows})).encode(
        x=alt.X("layer:O", title="MoE layer", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("policy:N", sort=None, title=None),
    )
    cells = base.mark_rect(stroke="white").encode(
        color=alt.Color(
            "hit:Q",
            scale=alt.Scale(scheme="blues", domain=[0, 1]),
            legend=alt.Legend(title="hit rate", format=".0%", orient="right", direction="vertical"),
        ),
        tooltip=["policy:N", "layer:O", alt.Tooltip("hit:Q", format=".1%")],
    )
    if len({row["layer"] for row in rows}) > 16:
        return cells
    texts = base.mark_text(fontSize=11).encode(
        text=alt.Text("hit:Q", format=".0%"), color=alt.condition("datum.hit > 0.6", alt.value("white"), alt.value(INK))
    )
    return alt.layer(cells, texts)


def front_rows(compared: Compared) -> list[dict[str, Any]]:
    """Return link bytes, time and whether a policy is on the front of those that do not know the future."""
    rows = [
        {
            "policy": name,
            "x": (compared.value(name, "link_bytes_per_token") or 0) / 1e6,
            "y": compared.value(name, "tpot_mean_us") or 0,
            "kind": "knows the future" if name in ORACLES else "can be built",
        }
        for name in compared.policies
    ]
    built = [row for row in rows if row["kind"] == "can be built"]
    front = {built[place]["policy"] for place in pareto_front([(row["x"], row["y"]) for row in built])}
    return [{**row, "front": row["policy"] in front} for row in rows]


def front_chart(compared: Compared) -> Any:
    """Return time against link bytes, with the front of what can be built as a line."""
    alt, rows = altair(), front_rows(compared)
    spans = [max(row[axis] for row in rows) - min(row[axis] for row in rows) or 1 for axis in ("x", "y")]
    named = merged(rows, *spans)
    x = alt.X("x:Q", title="link MB a token", scale=alt.Scale(zero=False, padding=50), axis=alt.Axis(format=",.6~g"))
    y = alt.Y("y:Q", title="mean TPOT, microseconds", scale=alt.Scale(zero=False, padding=25))
    front = sorted((row for row in rows if row["front"]), key=lambda row: row["x"])
    line = alt.Chart(data(front)).mark_line(color=GREY, strokeDash=[5, 4], interpolate="step-after").encode(x=x, y=y)
    base = alt.Chart(data(named), height=380)
    points = base.mark_circle(size=110, opacity=0.85, stroke="white").encode(
        x=x, y=y, color=_kind(),
        tooltip=["policy:N", alt.Tooltip("x:Q", format=",.3~g", title="link MB a token"),
                 alt.Tooltip("y:Q", format=",.1f", title="TPOT, us")],
    )  # fmt: skip
    return alt.layer(line, points, *_names(placed(named, (760, 330)), x, y))


def energy_rows(compared: Compared) -> list[dict[str, Any]]:
    """Return the energy of each part, by policy; none where the platform has no prices."""
    parts = {"link": "link_energy_per_token", "slots": "slot_energy_per_token", "tables": "table_energy_per_token"}
    return [
        {"policy": name, "part": part, "uj": value, "order": order}
        for name in compared.policies
        for order, (part, figure) in enumerate(parts.items())
        if (value := compared.value(name, figure)) is not None
    ]


def energy_chart(compared: Compared) -> Any:
    """Return the energy a token of each policy, stacked."""
    alt, rows = altair(), energy_rows(compared)
    return (
        alt.Chart(data(rows), height=24 * len(compared.policies))
        .mark_bar(size=16)
        .encode(
            x=alt.X("uj:Q", title="microjoules a token", axis=alt.Axis(format=",.6~g")),
            y=alt.Y("policy:N", sort=None, title=None),
            color=alt.Color(
                "part:N", scale=alt.Scale(domain=["link", "slots", "tables"], range=[VERMILION, BLUE, ORANGE])
            ),
            order="order:Q",
            tooltip=["policy:N", "part:N", alt.Tooltip("uj:Q", format=",.4~g", title="microjoules")],
        )
    )


def _names(rows: list[dict[str, Any]], x: Any, y: Any, radius: float = SMALL) -> list[Any]:
    """Return the names of points as layers, one for each place in which some stand."""
    alt, layers = altair(), []
    for number in sorted({row["place"] for row in rows}):
        place, here = away(PLACES[number], radius), data([row for row in rows if row["place"] == number])
        halo = alt.Chart(here).mark_text(dx=place.dx, dy=place.dy, align=place.align, stroke="white", strokeWidth=4)
        ink = alt.Chart(here).mark_text(dx=place.dx, dy=place.dy, align=place.align, color=INK)
        layers += [mark.encode(x=x, y=y, text="policy:N") for mark in (halo, ink)]
    return layers


def _kind() -> Any:
    alt = altair()
    return alt.Color(
        "kind:N", scale=alt.Scale(domain=["can be built", "knows the future"], range=[BLUE, GREEN]),
        legend=alt.Legend(title=None, labelColor=DIM),
    )  # fmt: skip

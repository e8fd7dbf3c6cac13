"""Charts of time as it passes: the link's use, and one token's step layer by layer."""

from __future__ import annotations

from typing import Any

from ..token_timeline import ATTENTION, COMPUTE, ISSUE, PREDICT, ROUTER
from ..transfers import Fate
from .folder import Compared
from .style import BLACK, DIM, FATE_COLOURS, GREEN, GREY, PALE, PINK, altair, data, scale_of

WHAT_COLOURS = {ATTENTION: PALE, ROUTER: BLACK, PREDICT: PINK, ISSUE: GREY, **FATE_COLOURS, COMPUTE: GREEN}
LANES = {ATTENTION: "a", ROUTER: "a", PREDICT: "b", ISSUE: "b", **dict.fromkeys(FATE_COLOURS, "c"), COMPUTE: "d"}
"""Rows within a layer: what happens before, predicting and waiting, the link, computing."""
BACKGROUND = "background traffic"


def link_rows(compared: Compared) -> list[dict[str, Any]]:
    """Return the link's shares over time, of the policies that the page shows."""
    rows = []
    for name in compared.shown if compared.detail else []:
        link = compared.detail["policies"][name]["link"]  # type: ignore[index]
        times = [cycle * compared.microseconds_per_cycle for cycle in link["cycles"]]
        parts = {**{fate.value: link["shares"][fate.value] for fate in Fate}, BACKGROUND: link["background"]}
        for order, (part, shares) in enumerate(parts.items()):
            rows += [
                {"policy": name, "part": part, "from": begin, "to": end, "share": share, "order": order}
                for begin, end, share in zip(times, times[1:], shares, strict=False)
                if share
            ]
    return rows


def link_chart(compared: Compared) -> Any:
    """Return the link's use over some steps, a panel a policy."""
    alt, rows = altair(), link_rows(compared)
    colours = FATE_COLOURS | {BACKGROUND: PALE}
    bars = (
        alt.Chart(data(rows), width=860, height=110)
        .mark_bar(binSpacing=0)
        .encode(
            x=alt.X("from:Q", bin="binned", title="microseconds", axis=alt.Axis(format=",.6~g")),
            x2="to:Q",
            y=alt.Y("share:Q", stack="zero", title="of the time", axis=alt.Axis(format=".0%", tickCount=3)),
            color=alt.Color("part:N", scale=scale_of(colours, {row["part"] for row in rows})),
            order="order:Q",
            tooltip=["policy:N", "part:N", alt.Tooltip("share:Q", format=".0%")],
        )
    )
    header = alt.Header(labelAngle=0, labelAlign="left", labelAnchor="start", labelFontWeight="bold", labelOrient="top")
    return bars.facet(row=alt.Row("policy:N", sort=compared.shown, title=None, header=header))


def token_rows(compared: Compared, policy: str) -> list[dict[str, Any]]:
    """Return the bars of one step, in microseconds."""
    if compared.detail is None:
        return []
    size = compared.microseconds_per_cycle
    return [
        {"what": bar["what"], "layer": bar["layer"], "lane": LANES[bar["what"]],
         "start": bar["start"] * size, "end": bar["end"] * size}
        for bar in compared.detail["policies"][policy]["timeline"]
    ]  # fmt: skip


def token_chart(compared: Compared, policy: str, longest: float) -> Any:
    """Return one step as bars, a row a layer; `longest` is the end of the axis in microseconds."""
    alt, rows = altair(), token_rows(compared, policy)
    layers = len({row["layer"] for row in rows})
    return (
        alt.Chart(data(rows), height=max(22, min(40, 900 // max(1, layers))) * layers, title=policy)
        .mark_bar()
        .encode(
            x=alt.X("start:Q", title="microseconds", scale=alt.Scale(domain=[0, longest], nice=False)),
            x2="end:Q",
            y=alt.Y("layer:O", title="MoE layer", scale=alt.Scale(paddingInner=0.25)),
            yOffset=alt.YOffset("lane:N", scale=alt.Scale(domain=list("abcd"), paddingInner=0.1)),
            color=alt.Color(
                "what:N",
                scale=scale_of(WHAT_COLOURS, {row["what"] for row in rows}),
                legend=alt.Legend(title=None, columns=5, labelColor=DIM, symbolType="square"),
            ),
            tooltip=["what:N", "layer:O", alt.Tooltip("start:Q", format=",.2f"), alt.Tooltip("end:Q", format=",.2f")],
        )
    )

"""Colours and pieces that several charts share; every hue is of Okabe and Ito's palette or a grey."""

from __future__ import annotations

from typing import Any

from ..html_page import COLOURS
from ..transfers import Fate

BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, BLACK = COLOURS
GREY, PALE = "#9aa5b1", "#d5dbe1"
INK, DIM = "#1c2530", "#5b6775"
BUCKET_COLOURS = {
    "compute": GREEN,
    "outside": PALE,
    "stall_link": VERMILION,
    "stall_queue": ORANGE,
    "stall_slot": PINK,
    "stall_grant": SKY,
    "stall_bank": BLUE,
}
FATE_COLOURS = {
    Fate.DEMAND.value: VERMILION,
    Fate.USED.value: BLUE,
    Fate.WASTED.value: ORANGE,
    Fate.OPEN.value: SKY,
}
POLICY_COLOURS = {
    "none": VERMILION,
    "st_moe": BLUE,
    "belady": GREEN,
    "oracle": BLACK,
    "belady_oracle": PINK,
}


def altair() -> Any:
    """Return the package, of the extra `report`; the page has said so if it is missing."""
    import altair

    return altair


def data(rows: list[dict[str, Any]]) -> Any:
    """Return rows as a chart's data, inside the page."""
    return altair().Data(values=rows)


def scale_of(colours: dict[str, str], present: set[str] | None = None) -> Any:
    """Return the colour scale of names, in their order; of those `present` if given."""
    names = [name for name in colours if present is None or name in present]
    return altair().Scale(domain=names, range=[colours[name] for name in names])


def rule(value: float, text: str, *, axis: str, dash: bool = True, align: str = "left", dy: int = 0) -> list[Any]:
    """Return a line across the chart at a value of `axis`, with its text at the top (x) or the right (y)."""
    alt = altair()
    source = data([{"at": value, "text": text}])
    line = alt.Chart(source).mark_rule(color=DIM, strokeDash=[5, 4] if dash else [1, 0]).encode(**{axis: "at:Q"})
    place: dict[str, Any] = {axis: "at:Q"} | ({"y": alt.value(0)} if axis == "x" else {"x": alt.value("width")})
    side = {"align": align, "dx": 4 if align == "left" else -4, "dy": dy - 7 if axis == "x" else -7}
    label = alt.Chart(source).mark_text(color=DIM, fontSize=11, **side).encode(text="text:N", **place)
    return [line, label]

"""Charts of time: speed-up bars, stall stacks, and time and hit rate against the cache's size."""

from __future__ import annotations

from typing import Any

from ..compare import ALL_RESIDENT, LOSES, ORACLE, ROOFLINE
from .folder import Compared
from .style import BLUE, BUCKET_COLOURS, GREY, INK, PALE, POLICY_COLOURS, VERMILION, altair, data, rule, scale_of

BAR = 24
KINDS = {"prefetches and wins": BLUE, "prefetches and LOSES": VERMILION, "does not prefetch, or unclear": GREY,
         "knows the future": PALE}  # fmt: skip
ORACLES = ("belady", "oracle", "oracle_far", "belady_oracle")
LIMITS = (ALL_RESIDENT, ROOFLINE)


def speed_up_rows(compared: Compared) -> list[dict[str, Any]]:
    """Return policy, speed-up, interval and kind of each, with all-resident at the end."""
    rows = []
    for name, policy in compared.policies.items():
        low, high = compared.interval(name, "speed_up") or (None, None)
        rows.append(
            {"policy": name, "speed_up": compared.value(name, "speed_up"), "low": low, "high": high,
             "kind": _kind(name, policy), "text": policy["text"]}
        )  # fmt: skip
    none = compared.value("none", "tpot_mean") or 0
    for name in LIMITS:
        cycles = compared.document["limits"].get(name, {}).get("tpot_mean")
        if cycles:
            rows.append({"policy": name, "speed_up": none / cycles, "low": None, "high": None,
                         "kind": "knows the future", "text": "a limit that no policy passes"})  # fmt: skip
    return rows


def speed_ups(compared: Compared) -> Any:
    """Return the bars, their intervals, and the lines of on-demand and of the oracle."""
    alt, rows = altair(), speed_up_rows(compared)
    y = alt.Y("policy:N", sort=None, title=None)
    base = alt.Chart(data(rows), height=BAR * len(rows))
    bars = base.mark_bar(size=14).encode(
        x=alt.X("speed_up:Q", title="speed-up over on-demand"),
        y=y,
        color=alt.Color("kind:N", scale=scale_of(KINDS, {row["kind"] for row in rows})),
        tooltip=["policy:N", alt.Tooltip("speed_up:Q", format=".3f"), "text:N"],
    )
    ends = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", y=y)
    halo, ink = (
        base.transform_calculate(label="isValid(datum.high) ? max(datum.high, datum.speed_up) : datum.speed_up")
        .mark_text(align="left", dx=7, **look)
        .encode(x="label:Q", y=y, text=alt.Text("speed_up:Q", format=".3f"))
        for look in ({"stroke": "white", "strokeWidth": 4}, {"color": INK})
    )
    lines = rule(1, "on-demand", axis="x", align="right", dash=False)
    oracle = compared.value(ORACLE, "speed_up") if ORACLE in compared.policies else None
    lines += [] if oracle is None else rule(oracle, "oracle", axis="x", align="right")
    return alt.layer(bars, ends, *lines, halo, ink)


def stack_rows(compared: Compared) -> list[dict[str, Any]]:
    """Return the microseconds of a step in each bucket, by policy."""
    size = compared.microseconds_per_cycle
    return [
        {"policy": name, "bucket": bucket, "us": policy["stack"][bucket] * size, "order": order}
        for name, policy in compared.policies.items()
        for order, bucket in enumerate(BUCKET_COLOURS)
    ]


def stacks(compared: Compared) -> Any:
    """Return where the time of a step goes, a bar a policy."""
    alt, rows = altair(), stack_rows(compared)
    return (
        alt.Chart(data(rows), height=BAR * len(compared.policies))
        .mark_bar(size=16)
        .encode(
            x=alt.X("us:Q", title="microseconds a step", axis=alt.Axis(format=",.6~g")),
            y=alt.Y("policy:N", sort=None, title=None),
            color=alt.Color(
                "bucket:N", scale=scale_of(BUCKET_COLOURS), legend=alt.Legend(title=None, columns=7, labelLimit=120)
            ),
            order="order:Q",
            tooltip=["policy:N", "bucket:N", alt.Tooltip("us:Q", format=",.1f", title="microseconds")],
        )
    )


def size_rows(compared: Compared) -> list[dict[str, Any]]:
    """Return time and hit rate of each policy and size."""
    return [point._asdict() | {"cycles": point.slots / compared.token_cycle} for point in compared.points]


def by_size(compared: Compared, field: str, title: str, form: str) -> Any:
    """Return one figure against the cache's size, with the marks of a token cycle and of the platform's cache."""
    alt, rows = altair(), size_rows(compared)
    lines = (
        alt.Chart(data(rows), height=300)
        .mark_line(point={"size": 30})
        .encode(
            x=alt.X(
                "cycles:Q",
                title="cache size, token cycles",
                scale=alt.Scale(type="log", base=2, nice=False),
                axis=alt.Axis(format="~g", values=[0.25, 0.5, 1, 2, 4, 8]),
            ),
            y=alt.Y(f"{field}:Q", title=title, axis=alt.Axis(format=form), scale=alt.Scale(zero=True)),
            color=alt.Color("policy:N", scale=scale_of(POLICY_COLOURS, {row["policy"] for row in rows})),
            tooltip=[
                "policy:N",
                alt.Tooltip("slots:Q", format=","),
                alt.Tooltip("cycles:Q", format=".3~g", title="token cycles"),
                alt.Tooltip(f"{field}:Q", format=form, title=title),
            ],
        )
    )
    platform = compared.document["slots"] / compared.token_cycle
    marks = rule(1, "one token cycle", axis="x")
    if abs(platform - 1) > 0.02:
        marks += rule(platform, "this platform", axis="x", dash=False, dy=12)
    return alt.layer(lines, *marks)


def _kind(name: str, policy: dict[str, Any]) -> str:
    if name in ORACLES:
        return "knows the future"
    if not policy["prefetches"] or policy["verdict"] in ("unclear", "same"):
        return "does not prefetch, or unclear"
    return "prefetches and LOSES" if policy["verdict"] == LOSES else "prefetches and wins"

"""The HTML page of `moefetch trace stats`: the verdict, plots and tables, each with what its figures mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .cache_curve import DISTANCE_BINS
from .html_page import FigureText, HtmlPage
from .trace_figures import TRACE_FIGURES
from .trace_report import TraceReport
from .trace_tables import hidden_rows, layer_rows, size_rows, summary_rows
from .trace_verdict import verdict

HEIGHT = 300
FEWEST_MISSES = 0.01
"""Plots of what happens to misses end where LRU misses less of the demand: too few to tell."""
SHARE = ".0%"
CYCLES = "cache size, token cycles"
PREDICTORS = ["CCT+HT", "previous token", "static hot set", "cross layer", "hints"]
RATES = ["LRU", "Belady", "LRU + prefetch"]


def trace_page(report: TraceReport) -> HtmlPage:
    """Return the page of a report; raises UserError without the extra `report`."""
    meta = report.meta
    geometry = f"{meta.n_layers} MoE layers x {meta.n_experts} experts, top-{meta.top_k}"
    page = HtmlPage(
        f"Expert trace of {meta.model}",
        f"{report.name}: {report.stats.measured:,} tokens in {report.stats.sequences:,} sequences; {geometry}; "
        f"content {meta.content_sha256[:12]}; licence {meta.licence}",
    )
    page.section("Verdict", verdict(report))
    page.table(("figure", "value", "what it says"), summary_rows(report), words=True)
    _caches(page, report)
    _locality(page, report)
    _prediction(page, report)
    _popularity(page, report)
    page.section("What the figures mean")
    rows = [(name, figure.label, figure.formula) for name, figure in TRACE_FIGURES.items()]
    page.table(("figure", "label", "formula"), rows, words=True)
    return page


def _caches(page: HtmlPage, report: TraceReport) -> None:
    page.section("How large a cache, and what prefetching adds to it")
    page.plot(
        _lines(_rates(report), ("cycles", CYCLES), ("rate", "hit rate"), RATES),
        "Below about one token cycle LRU hits nothing: it has just evicted what comes round again. The gap up to "
        "Belady is what a better replacement could gain, the gap up to LRU + prefetch what prefetching could.",
        _texts("LRU", "Belady", "LRU + prefetch", "token cycle"),
    )
    headings, rows = size_rows(report)
    page.table(headings, rows)
    if report.curve.hidden:
        _prefetches(page, report)


def _prefetches(page: HtmlPage, report: TraceReport) -> None:
    page.section("What a prefetch one layer ahead finds")
    curve, rows = report.curve, []
    for name, shares in curve.hidden.items():
        rows += [
            {"cycles": slots / curve.token_cycle, "series": name, "hidden": share}
            for slots, lru, share in zip(curve.slots, curve.lru, shares, strict=True)
            if share is not None and 1 - lru >= FEWEST_MISSES
        ]
    page.plot(
        _lines(rows, ("cycles", CYCLES), ("hidden", "share of LRU's misses hidden"), _predictors(report)),
        "A cache already holds what is easy to name: the larger it is, the less a predictor finds among its misses. Up "
        f"to the size at which LRU misses less than {FEWEST_MISSES:.0%} of the demand.",
        _texts("hidden"),
    )
    headings, cells = hidden_rows(report)
    page.table(
        headings, cells, "Share of LRU's misses hidden; in brackets the useless loads for each.", _texts("useless")
    )


def _rates(report: TraceReport) -> list[dict[str, Any]]:
    curve, rows = report.curve, []
    for index, slots in enumerate(curve.slots):
        values = (curve.lru[index], curve.belady[index], curve.with_prefetch(index))
        rows += [
            {"cycles": slots / curve.token_cycle, "slots": slots, "series": name, "rate": value}
            for name, value in zip(RATES, values, strict=True)
            if value is not None
        ]
    return rows


def _locality(page: HtmlPage, report: TraceReport) -> None:
    page.section("When experts come back", side_by_side=True)
    alt, curve = _altair(), report.curve
    bins = [
        {"from": i / DISTANCE_BINS, "to": (i + 1) / DISTANCE_BINS, "share": share}
        for i, share in enumerate(curve.distance_share)
    ]
    bars = (
        alt.Chart(alt.Data(values=bins), height=HEIGHT)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X("from:Q", title="reuse distance, token cycles", bin="binned"),
            x2="to:Q",
            y=alt.Y("share:Q", title="share of the demand", axis=alt.Axis(format="~%")),
            tooltip=[alt.Tooltip("from:Q"), alt.Tooltip("to:Q"), alt.Tooltip("share:Q", format=".2%")],
        )
    )
    first_uses = curve.first_uses / max(1, curve.demand)
    page.plot(
        bars,
        f"The first peak, just below one token cycle, is what the previous token selected too. First uses, "
        f"{first_uses:.2%} of the demand, have no distance.",
        _texts("reuse distance", "first uses"),
    )
    used = [
        {"tokens": tokens, "cycles": experts / curve.token_cycle, "share": experts / curve.n_keys}
        for tokens, experts in zip(report.windows, report.working_set, strict=True)
    ]
    line = (
        alt.Chart(alt.Data(values=used), height=HEIGHT)
        .mark_line(point=True)
        .encode(
            x=alt.X(
                "tokens:Q",
                title="window, tokens",
                scale=alt.Scale(type="log", base=2, nice=False),
                axis=alt.Axis(format=",", values=[4**power for power in range(16)], labelOverlap=True),
            ),
            y=alt.Y("cycles:Q", title="working set, token cycles"),
            tooltip=[
                alt.Tooltip("tokens:Q"),
                alt.Tooltip("cycles:Q", format=".2f", title="token cycles"),
                alt.Tooltip("share:Q", format=".1%", title="of all experts"),
            ],
        )
    )
    most = curve.n_keys / curve.token_cycle
    page.plot(line, f"All experts of the model are {most:.4g} token cycles.", _texts("working set"))


def _prediction(page: HtmlPage, report: TraceReport) -> None:
    if not report.recall:
        return
    page.section("How well the next layer's experts can be named")
    rows = [
        {"layer": layer, "series": name, "rate": share}
        for name, recall in report.recall.items()
        for layer, share in zip(report.meta.layers, recall.by_layer(), strict=True)
        if share is not None
    ]
    alt = _altair()
    chance = alt.Chart(alt.Data(values=[{"chance": report.chance}])).mark_rule(strokeDash=[4, 4], color="#5b6775")
    lines = _lines(rows, ("layer", "MoE layer"), ("rate", "recall at k"), _predictors(report), 1)
    page.plot(
        alt.layer(lines, chance.encode(y="chance:Q")),
        f"The first layer can only be named from the token before. Dashed: k experts at random, {report.chance:.1%}. "
        f"Profiled on the first {report.profiled:,} tokens, scored on the {report.scored:,} after them.",
        _texts("recall at k", *_predictors(report)),
    )


def _popularity(page: HtmlPage, report: TraceReport) -> None:
    page.section("How evenly experts are used")
    alt = _altair()
    cells = [
        {"layer": layer, "rank": rank, "load": count * len(counts) / max(1, sum(counts))}
        for layer, counts in zip(report.meta.layers, report.selections, strict=True)
        for rank, count in enumerate(sorted(counts, reverse=True), start=1)
    ]
    step = max(4, min(16, 480 // report.meta.n_layers))
    page.plot(
        alt.Chart(alt.Data(values=cells), height=step * report.meta.n_layers)
        .mark_rect()
        .encode(
            x=alt.X("rank:O", title="expert, by its rank in the layer", axis=alt.Axis(labelOverlap=True, labelAngle=0)),
            y=alt.Y("layer:O", title="MoE layer", axis=alt.Axis(labelOverlap=True)),
            color=alt.Color(
                "load:Q", legend=alt.Legend(title="selections / mean", orient="right", direction="vertical")
            ),
            tooltip=[alt.Tooltip("layer:O"), alt.Tooltip("rank:O"), alt.Tooltip("load:Q", format=".2f")],
        ),
        "Each row is a layer, its busiest expert at the left. A row that fades fast can keep its hot experts resident.",
    )
    headings, rows = layer_rows(report)
    page.table(headings, rows, "", _texts("max / mean", "entropy / even", "hottest k", "unused"))


def _lines(
    rows: list[dict[str, Any]], x: tuple[str, str], y: tuple[str, str], order: Sequence[str], x_step: float = 0.5
) -> Any:
    """Return shares as lines, one a series, coloured in the given order; `x_step` is the least between ticks."""
    alt = _altair()
    return (
        alt.Chart(alt.Data(values=rows), height=HEIGHT + 60)
        .mark_line(point={"size": 18})
        .encode(
            x=alt.X(
                f"{x[0]}:Q", title=x[1], scale=alt.Scale(nice=False), axis=alt.Axis(format="~g", tickMinStep=x_step)
            ),
            y=alt.Y(f"{y[0]}:Q", title=y[1], scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=SHARE)),
            color=alt.Color("series:N", scale=alt.Scale(domain=list(order)), legend=alt.Legend(title=None)),
            tooltip=[
                alt.Tooltip("series:N"),
                alt.Tooltip(f"{x[0]}:Q", title=x[1], format=".4~g"),
                alt.Tooltip(f"{y[0]}:Q", title=y[1], format=".1%"),
            ],
        )
    )


def _predictors(report: TraceReport) -> list[str]:
    """Return the predictors in the order of their colours."""
    return [name for name in PREDICTORS if name in report.recall]


def _texts(*names: str) -> list[FigureText]:
    return [FigureText(name, *TRACE_FIGURES[name]) for name in names]


def _altair() -> Any:
    import altair  # of the extra `report`; without it the page says so before it comes here

    return altair

"""The page: verdict, charts with their formulas, and what stands in a chart's place where its data are missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..compare_report import STACK_FORMULA
from ..energy_table import EnergyPrices, energy_statement
from ..explore import OBJECTIVES
from ..html_page import FigureText, HtmlPage
from ..point_columns import columns
from . import link_charts, prefetch_charts, sweep_charts, time_charts
from .folder import Compared
from .verdict import verdict_lines

NO_DETAIL = (
    "No data: this folder has no detail.json of this comparison. moefetch compare writes it beside compare.json: "
    "compare again into this folder."
)
NO_SIZES = (
    "No data: the replays at other cache sizes were left out, or their trace is no longer at {trace}. Call moefetch "
    "report where moefetch compare was called, without --no-cache-sizes."
)
SLACK = FigureText(
    "slack", "modelled", "cycle of the close of the event that first used a prefetch - cycle in which it was complete; "
    "negative: late, the event waited so long. The ends of the axis hold what lies beyond them"
)  # fmt: skip
LINK = FigureText(
    "link use", "modelled", "cycles of the bin in which the link carried beats of that kind / cycles of the bin; "
    "wasted: given up before any use"
)  # fmt: skip
TIMELINE = FigureText(
    "timeline", "modelled", "attention_cycles (and step_cycles) from the end of the event before; router to the "
    "event's close; predict to the last candidate; wait for the link from the issue to the first beat; then the "
    "transfer; compute from grant to release"
)  # fmt: skip


def report_page(comparisons: Sequence[Compared], points: Sequence[dict[str, Any]] = ()) -> HtmlPage:
    """Return the page of all comparisons of a folder, and of a sweep's points there.

    Raises UserError without the extra `report`.
    """
    first = comparisons[0].document
    names = ", ".join(compared.name for compared in comparisons)
    page = HtmlPage(f"{first['model']} on {first['platform']}", f"Expert prefetching on {names}, all policies compared")
    for compared in comparisons:
        _comparison(page, compared, f" ({compared.name})" if len(comparisons) > 1 else "")
    if points:
        page.section("Points of a sweep or a search")
        page.plot(
            sweep_charts.sweep_chart(list(points)),
            f"{len(points):,} points of results.parquet; in colour those that none beats in all three.",
            [FigureText(name, "modelled", columns()[name].formula) for name in OBJECTIVES],
            name="sweep-front",
        )
    page.section("How to read it")
    page.table(("figure", "label", "formula"), _meanings(comparisons[0]), words=True)
    return page


def _comparison(page: HtmlPage, compared: Compared, of: str) -> None:
    document = compared.document
    page.section(f"Verdict{of}", verdict_lines(compared))
    page.table(
        ("", ""),
        [
            ("replayed", f"{document['steps']:,} steps after a warm-up of {document['warm_up_steps']:,}; "
             f"sequences: {document['sequences']:,}; batch {document['batch']}"),
            ("scale", f"{document['scale']}: {document['scale_statement']}"),
            ("unit", f"{document['unit_digest']}; {document['slots']:,} slots"),
            ("intervals", document["intervals"]),
            ("profile", document["profile"]),
            ("trace", f"{compared.name}, content {document['content_sha256'][:12]}"),
        ],
        words=True,
    )  # fmt: skip
    _time(page, compared, of)
    _sizes(page, compared, of)
    _prefetches(page, compared, of)
    _link(page, compared, of)
    _price(page, compared, of)


def _time(page: HtmlPage, compared: Compared, of: str) -> None:
    page.section(f"Time{of}")
    page.plot(
        time_charts.speed_ups(compared),
        "Bars end at the speed-up, the black line spans its 95 % interval. What knows the future bounds the others.",
        compared.text("speed_up", "gap_closed"),
        name=f"speed-up{of}",
    )
    page.plot(
        time_charts.stacks(compared),
        "Where the time of a step goes. Outside: attention and routing; the stalls say what the next expert waits for.",
        [FigureText("stack", "modelled", STACK_FORMULA), *compared.text("tpot_mean_us")],
        name=f"stall-stacks{of}",
    )


def _sizes(page: HtmlPage, compared: Compared, of: str) -> None:
    page.section(f"Cache size{of}", side_by_side=bool(compared.points))
    if not compared.points:
        page.note(NO_SIZES.format(trace=compared.document["trace"]))
        return
    charts = (
        ("tpot_mean_us", "mean TPOT, microseconds", ",.6~g", "tpot-by-cache-size", "tpot_mean_us"),
        ("hit_rate", "hit rate", ".0%", "hit-rate-by-cache-size", "hit_rate"),
    )
    for field, title, form, name, figure in charts:
        page.plot(
            time_charts.by_size(compared, field, title, form),
            "Below one token cycle LRU has just evicted what comes round again. Belady's rule knows the future."
            if figure == "hit_rate"
            else "The oracle prefetches the next event's true set over the real link.",
            compared.text(figure),
            name=f"{name}{of}",
        )


def _prefetches(page: HtmlPage, compared: Compared, of: str) -> None:
    page.section(f"What was prefetched{of}")
    page.plot(
        prefetch_charts.accuracy_chart(compared),
        "Up: fewer fetched for nothing. Right: fewer misses left. A larger point wastes more bytes.",
        compared.text("accuracy", "coverage", "wasted_bytes_per_token"),
        name=f"accuracy-coverage{of}",
    )
    if compared.detail is None:
        page.note(NO_DETAIL)
        return
    steps = compared.detail["steps"]
    if prefetch_charts.slack_rows(compared):
        page.plot(
            prefetch_charts.slack_chart(compared),
            f"Far right: fetched early, and a slot held for long. Left of 0: late. Of {steps} steps after the warm-up.",
            [SLACK],
            name=f"slack{of}",
            wide=False,
        )
    else:
        page.note("No data: no policy used a prefetched expert in the window.")
    page.plot(
        prefetch_charts.layer_chart(compared),
        "Hits by layer, of the whole replay with its warm-up.",
        compared.text("hit_rate"),
        name=f"layers{of}",
    )


def _link(page: HtmlPage, compared: Compared, of: str) -> None:
    page.section(f"The link and one token{of}")
    if compared.detail is None:
        page.note(NO_DETAIL)
        return
    steps = compared.detail["policies"][compared.shown[0]]["link"]["steps"]
    page.plot(
        link_charts.link_chart(compared),
        f"The first {steps} steps after the warm-up. Each panel has its own time: a faster policy ends earlier.",
        [LINK],
        name=f"link-use{of}",
        wide=False,
    )
    ends = [row["end"] for policy in compared.shown for row in link_charts.token_rows(compared, policy)]
    for policy in compared.shown:
        page.plot(
            link_charts.token_chart(compared, policy, max(ends)),
            "" if policy != compared.shown[-1] else "The same step under each policy, the one of median time on "
            "demand. A transfer stands in the row of the layer that it is for; it may begin before the step.",
            [TIMELINE] if policy == compared.shown[-1] else [],
            name=f"timeline-{policy}{of}",
        )  # fmt: skip


def _price(page: HtmlPage, compared: Compared, of: str) -> None:
    page.section(f"What it costs{of}")
    page.plot(
        prefetch_charts.front_chart(compared),
        "Dashed: the front of what can be built; no policy there is beaten in both time and bytes by another.",
        compared.text("tpot_mean_us", "link_bytes_per_token"),
        name=f"pareto{of}",
    )
    if not prefetch_charts.energy_rows(compared):
        page.note("No data: the platform does not say what it is built of ([energy] in its file).")
        return
    prices = EnergyPrices(**compared.document["energy"])
    page.plot(
        prefetch_charts.energy_chart(compared),
        f"Modelled: {energy_statement(prices)}.",
        compared.text("energy_per_token", "wasted_energy_per_token", "edp"),
        name=f"energy{of}",
    )
    page.table(*_energy_table(compared), "Energy and energy-delay product are two things; the latter rewards speed.")


def _energy_table(compared: Compared) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    figures = ("energy_per_token", "wasted_energy_per_token", "energy_ratio", "edp_ratio")
    headings = ("policy", "uJ a token", "of it wasted", "times on-demand", "EDP, times on-demand")

    def cell(policy: str, figure: str) -> str:
        value = compared.value(policy, figure)
        return "-" if value is None else f"{value:,.3f}" if figure.endswith("ratio") else f"{value:,.4g}"

    return headings, [(name, *(cell(name, figure) for figure in figures)) for name in compared.policies]


def _meanings(compared: Compared) -> list[tuple[str, str, str]]:
    return [(name, meaning["label"], meaning["formula"]) for name, meaning in compared.meanings.items()]

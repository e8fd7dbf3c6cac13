"""One HTML file with tables and plots that works without a network: its scripts, data and style are all inside.

The browser is told to load nothing from outside (Content-Security-Policy), so a page cannot come to depend on it.
Needs the packages of the extra `report`; they are imported when a page is made.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from ..traces.errors import UserError

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d")
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""
_EXPORT = "window.vegaEmbed = vegaEmbed;"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_THEME: dict[str, Any] = {
    "font": _FONT,
    "background": "white",
    "view": {"stroke": None},
    "range": {"category": list(COLOURS), "heatmap": {"scheme": "blues"}},
    "axis": {
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "titleColor": "#5b6775",
        "gridColor": "#e8ecf0", "domainColor": "#9aa5b1", "tickColor": "#9aa5b1", "labelColor": "#1c2530",
    },
    "legend": {
        "orient": "top", "title": None, "labelFontSize": 13, "symbolStrokeWidth": 3, "labelLimit": 400,
        "direction": "horizontal",
    },
    "title": {"fontSize": 14, "anchor": "start", "fontWeight": 600},
    "mark": {"color": COLOURS[0]},
    "line": {"strokeWidth": 2.5},
}  # fmt: skip


class FigureText(NamedTuple):
    """What stands below a plot or table for one of its figures: name, label (measured, ...) and formula."""

    name: str
    label: str
    formula: str


@dataclass(frozen=True)
class _Block:
    """A plot (its number) or a table, with its caption."""

    caption: str
    figures: Sequence[FigureText]
    chart: int | None = None
    note: str = ""
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    words: bool = False


@dataclass
class _Section:
    heading: str
    lead: Sequence[str]
    side_by_side: bool
    blocks: list[_Block] = field(default_factory=list)


class HtmlPage:
    """A page that is filled from top to bottom; plots are Altair charts with their data inside, without a theme.

    Raises UserError if the packages of the extra `report` are not installed.
    """

    def __init__(self, title: str, subtitle: str):
        require_report_packages()
        self._title, self._subtitle = title, subtitle
        self._sections: list[_Section] = []
        self._charts: list[dict[str, Any]] = []
        self._names: list[str] = []

    @property
    def named_charts(self) -> dict[str, dict[str, Any]]:
        """The plots that have a name, as Vega-Lite with the page's theme."""
        return {name: spec for name, spec in zip(self._names, self._charts, strict=True) if name}

    def section(self, heading: str, lead: Sequence[str] = (), *, side_by_side: bool = False) -> None:
        """Begin a section; `lead` are lines in a box, `side_by_side` puts its plots next to each other."""
        self._sections.append(_Section(heading, lead, side_by_side))

    def note(self, text: str) -> None:
        """Say in a plot's place why there is none."""
        self._sections[-1].blocks.append(_Block("", (), note=text))

    def plot(
        self, chart: Any, caption: str, figures: Iterable[FigureText] = (), *, name: str = "", wide: bool = True
    ) -> None:
        """Add an Altair chart to the section, as wide as the page allows unless it has facets (`wide` false).

        `name` is for its own file.
        """
        self._sections[-1].blocks.append(_Block(caption, tuple(figures), chart=len(self._charts)))
        self._names.append(name)
        if not wide:
            spec = chart.to_dict()
            del spec["$schema"]
            self._charts.append(spec | {"config": _THEME})
            return
        spec = chart.properties(width="container").to_dict()
        del spec["$schema"]  # an address, which nothing here needs
        self._charts.append(spec | {"config": _THEME, "autosize": {"type": "fit-x", "contains": "padding"}})

    def table(
        self,
        headings: Sequence[str],
        rows: Sequence[Sequence[str]],
        caption: str = "",
        figures: Iterable[FigureText] = (),
        *,
        words: bool = False,
    ) -> None:
        """Add a table to the section; `words` aligns all columns left, for text instead of numbers."""
        block = _Block(caption, tuple(figures), headings=headings, rows=rows, words=words)
        self._sections[-1].blocks.append(block)

    def render(self) -> str:
        """Return the page."""
        import jinja2
        import markupsafe
        import vl_convert

        template = Path(__file__).with_name("html_page.html.j2").read_text(encoding="utf-8")
        environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
        return environment.from_string(template).render(
            title=self._title,
            subtitle=self._subtitle,
            sections=self._sections,
            # Neither may hold what ends a script element.
            libraries=markupsafe.Markup(vl_convert.javascript_bundle(_EXPORT).replace("</script", "<\\/script")),
            charts=markupsafe.Markup(json.dumps(self._charts).replace("<", "\\u003c")),
            footer=f"Made by moefetch {version('moefetch')}; plots by Vega-Lite, inside this file.",
        )


def require_report_packages() -> None:
    """Raise UserError, with the command to type, if a package that pages need is missing."""
    for package in ("altair", "jinja2", "vl_convert"):
        if importlib.util.find_spec(package) is None:
            raise UserError(f"HTML pages need the package {package}: pip install 'moefetch[report]'")

"""The plots of a shoot-out as SVG: a panel for each trace, and one legend."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log10

from .shootout import Shootout
from .shootout_replays import ORACLE, ST_MOE, WEIGHTS, PlatformReplays

COLOURS = ("#4d4d4d", "#e69f00", "#56b4e9", "#d55e00", "#cc79a7", "#0072b2", "#7aa6c8", "#003a5d", "#009e73")
SET_COLOUR = COLOURS[3]
WIDTH, HEIGHT, LEFT, TOP, GAP, BELOW = 250, 180, 46, 26, 40, 64
LEGEND_WIDTH = 190
PANELS_IN_A_ROW = 3
SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)
SHOWN_GAPS = ("ST-MoE, its own set", ST_MOE, "weights, cold", WEIGHTS, "weights, above 104", "hints", "oracle, far")
LOWEST_GAP = -0.5
"""Shares below are drawn here: what loses, loses."""


@dataclass(frozen=True)
class Axis:
    """Where values lie along an axis: from `low` to `high`, by their logarithm or not, and what is marked."""

    low: float
    high: float
    marks: Sequence[tuple[float, str]]
    is_log: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies, 0 to 1; what is beyond an end lies on it."""
        low, high, at = (log10(x) if self.is_log else x for x in (self.low, self.high, max(value, self.low)))
        return min(1.0, (at - low) / (high - low))


@dataclass(frozen=True)
class Panel:
    """One trace's plot: name -> points, in order, and lone points in rings."""

    title: str
    x: Axis
    y: Axis
    x_title: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    rings: tuple[tuple[float, float], ...] = ()
    dots: bool = False


def recall_plot(results: Iterable[Shootout]) -> str:
    """Return recall over the number of experts named; the ring is ST-MoE's own set."""
    panels = []
    for result in results:
        budgets = result.budgets
        x = Axis(0, budgets[-1], [(budget, str(budget)) for budget in budgets])
        lines = {row.name: list(zip(budgets, row.recall, strict=True)) for row in result.contenders}
        ring = (min(result.set_size, budgets[-1]), result.set_recall)
        panels.append(Panel(result.trace, x, _recalls(), "experts named, recall above", lines, (ring,)))
    return _drawn(panels)


def bits_plot(results: Iterable[Shootout]) -> str:
    """Return recall at k over the bits of the model's tables, of those that hold any."""
    panels = []
    for result in results:
        rows = [row for row in result.contenders if row.table_bits]
        low, high = (int(log10(extreme(row.table_bits for row in rows))) for extreme in (min, max))
        x = Axis(10**low, 10 ** (high + 1), [(10**power, f"1e{power}") for power in range(low, high + 2)], is_log=True)
        lines = {row.name: [(row.table_bits, row.recall[0])] for row in rows}
        panels.append(Panel(result.trace, x, _recalls(), "table bits, recall at k above", lines, dots=True))
    return _drawn(panels)


def gaps_plot(replays: Sequence[PlatformReplays]) -> str:
    """Return the share of the gap to the one-event oracle that is closed over the link's room, a point a platform."""
    panels = []
    for trace in dict.fromkeys(replay.trace for replay in replays):
        own = sorted((replay for replay in replays if replay.trace == trace), key=lambda replay: replay.room)
        low, high = own[0].room / 1.3, own[-1].room * 1.3
        x = Axis(low, high, [(replay.room, replay.platform) for replay in own], is_log=True)
        y = Axis(LOWEST_GAP, 1.25, [(share, f"{share:.0%}") for share in (-0.5, 0.0, 0.5, 1.0)])
        lines: dict[str, list[tuple[float, float]]] = {}
        for name in [timed.name for timed in own[0].timed if timed.name in SHOWN_GAPS]:
            shares = [(replay.room, replay.gap_closed(name)) for replay in own]
            lines[name] = [(room, share) for room, share in shares if share is not None]
        panels.append(Panel(trace, x, y, f"room of the link; share of the gap to the {ORACLE} above", lines, dots=True))
    return _drawn(panels)


def _recalls() -> Axis:
    return Axis(0, 1, [(share, f"{share:.1f}") for share in SHARES])


def _drawn(panels: Sequence[Panel]) -> str:
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
    width = GAP + min(len(panels), PANELS_IN_A_ROW) * (LEFT + WIDTH + GAP)
    per_row = max(1, width // LEGEND_WIDTH)
    legend = (TOP + HEIGHT + BELOW) * -(-len(panels) // PANELS_IN_A_ROW)
    height = legend + 18 * -(-len(names) // per_row)
    shapes = []
    for index, panel in enumerate(panels):
        row, column = divmod(index, PANELS_IN_A_ROW)
        x, y = column * (LEFT + WIDTH + GAP), row * (TOP + HEIGHT + BELOW)
        shapes.append(f'<g transform="translate({x}, {y})">\n{_panel(panel, names, colours, GAP + LEFT)}\n</g>')
    for index, name in enumerate(names):
        x, y = GAP + LEGEND_WIDTH * (index % per_row), legend + 2 + 18 * (index // per_row)
        shapes.append(_line([(x, y - 7), (x + 14, y - 7)], colours[name], _dash(index)))
        shapes.append(f'<text x="{x + 20}" y="{y - 4}">{name}</text>')
    body = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11" fill="#1c2530">\n<rect width="100%" height="100%" fill="white"/>\n'
        f"{body}\n</svg>\n"
    )


def _dash(index: int) -> str:
    """Return how a line is broken: the second time round the colours, dashed."""
    return "4 2" if index >= len(COLOURS) else ""


def _panel(panel: Panel, names: list[str], colours: dict[str, str], left: int) -> str:
    def place(x: float, y: float) -> tuple[float, float]:
        return left + WIDTH * panel.x.share(x), TOP + HEIGHT * (1 - panel.y.share(y))

    shapes = [f'<text x="{left}" y="{TOP - 10}" font-weight="bold">{panel.title}</text>', *_marks(panel, left, place)]
    for name, points in panel.lines.items():
        places = [place(*point) for point in points]
        if len(places) > 1:
            shapes.append(_line(places, colours[name], _dash(names.index(name))))
        if panel.dots:
            shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colours[name]}"/>' for x, y in places]
    for x, y in (place(*ring) for ring in panel.rings):
        shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="none" stroke="{SET_COLOUR}" stroke-width="2"/>')
    return "\n".join(shapes)


def _marks(panel: Panel, left: int, place) -> list[str]:
    """Return the marks of both axes; those along x that would overlap take turns on two lines."""
    shapes = []
    for value, text in panel.y.marks:
        _, y = place(panel.x.low, value)
        shapes.append(f'<line x1="{left}" x2="{left + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e8ecf0"/>')
        shapes.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    longest = max(len(text) for _, text in panel.x.marks)
    for index, (value, text) in enumerate(panel.x.marks):
        x, _ = place(value, panel.y.low)
        y = TOP + HEIGHT + 12 + 9 * (index % 3 if longest > 4 else 0)
        size = "9" if longest > 4 else "11"
        shapes.append(f'<text x="{x:.1f}" y="{y}" text-anchor="middle" font-size="{size}">{text}</text>')
    title = TOP + HEIGHT + (42 if longest > 4 else 28)
    return [*shapes, f'<text x="{left + WIDTH / 2}" y="{title}" text-anchor="middle">{panel.x_title}</text>']


def _line(places: Sequence[tuple[float, float]], colour: str, dash: str) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    broken = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{broken}/>'

"""Drawing of timing diagrams: lanes of values over clock cycles become SVG."""

from typing import NamedTuple
from xml.sax.saxutils import escape

CYCLE, LANE, LEFT, TOP = 11, 24, 136, 46
"""Pixels of a cycle and of a lane; left and upper edge of the waves."""
MARK = 30
"""Pixels above a lane for the words of its marks."""
COLOURS = ("#cfe3f7", "#f9d9c0", "#d4ecd0", "#e6d8f0")


class Lane(NamedTuple):
    """A row of a diagram: `values[c]` is a label or None in cycle c; `wave` draws a level, `marks` writes aslant."""

    name: str
    values: list[str | None]
    style: str = "boxes"


class Diagram(NamedTuple):
    """A scene that has been simulated."""

    title: str
    lanes: list[Lane]


def draw(diagram: Diagram) -> str:
    """Return a diagram as SVG; it brings its own light ground, so that it reads on a dark page too."""
    cycles = len(diagram.lanes[0].values)
    height = TOP + sum(LANE + MARK * (lane.style == "marks") for lane in diagram.lanes) + 34
    width = LEFT + cycles * CYCLE + 44
    body, y = [], TOP
    for lane in diagram.lanes:
        y += MARK * (lane.style == "marks")
        body.append(f'<text x="{LEFT - 10}" y="{y + 13}" text-anchor="end">{escape(lane.name)}</text>')
        body += draw_lane(lane, y)
        y += LANE
    ticks = [
        f'<path class="grid" d="M{LEFT + c * CYCLE} {TOP - 6}V{y}"/>'
        f'<text class="small" x="{LEFT + c * CYCLE}" y="{y + 12}" text-anchor="middle">{c}</text>'
        for c in range(0, cycles + 1, 5)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12" fill="#1c2733">\n'
        f"<title>{escape(diagram.title)}</title>\n<style>.grid{{stroke:#dde3ea;fill:none}}.small{{font-size:10px}}"
        ".wave{stroke:#2f5d8a;stroke-width:1.6;fill:none}.mark{stroke:#a33b20;stroke-width:2;fill:none}</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#fbfcfe" stroke="#c9d2dc"/>\n'
        f'<text x="14" y="24" font-weight="bold">{escape(diagram.title)}</text>\n'
        + "\n".join([*ticks, *body])
        + f'\n<text class="small" x="{LEFT}" y="{y + 26}">clock cycles, as simulated</text>\n</svg>\n'
    )


def draw_lane(lane: Lane, y: int) -> list[str]:
    """Return the elements of one lane."""
    if lane.style == "wave":
        edges = [(c, c + 1, y + (2 if value is not None else 16)) for c, value in enumerate(lane.values)]
        path = " ".join(f"{LEFT + c * CYCLE},{at}" for begin, end, at in edges for c in (begin, end))
        return [f'<polyline class="wave" points="{path}"/>']
    found = []
    for first, length, label in runs(lane.values, joined=lane.style == "boxes"):
        x, word = LEFT + first * CYCLE, escape(label)
        if lane.style == "marks":
            middle = x + CYCLE / 2
            found.append(f'<path class="mark" d="M{middle:g} {y}v16"/>')
            turned = f"translate({middle:g} {y - 2}) rotate(-48)"
            found.append(f'<text class="small" transform="{turned}">{word}</text>')
        else:
            width, colour = length * CYCLE, COLOURS[(ord(label[0]) + len(label)) % len(COLOURS)]
            found.append(
                f'<rect x="{x}" y="{y}" width="{width}" height="16" rx="2" fill="{colour}" stroke="#2f5d8a"/>'
                f'<text class="small" x="{x + width / 2:g}" y="{y + 12}" text-anchor="middle">{word}</text>'
            )
    return found


def runs(values: list[str | None], *, joined: bool) -> list[tuple[int, int, str]]:
    """Return (first cycle, length, label) of the labels; equal neighbours are one if `joined`."""
    found: list[tuple[int, int, str]] = []
    for cycle, value in enumerate(values):
        if value is None:
            continue
        if joined and found and found[-1][2] == value and found[-1][0] + found[-1][1] == cycle:
            found[-1] = (found[-1][0], found[-1][1] + 1, value)
        else:
            found.append((cycle, 1, value))
    return found

"""The block diagram of a unit as SVG: its parts with their sizes, and what connects them."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from ..config import UnitConfig

_WIDTH, _HEIGHT = 1090, 492
_COLUMNS = (150, 425, 700)
_ROWS = (24, 144, 264, 384)
_BOX_WIDTH, _BOX_HEIGHT = 212, 84
_LINE = 'stroke="#3d4f5f" stroke-width="1.6" fill="none"'
_TEXT = 'font-family="system-ui, sans-serif"'


class _Box(NamedTuple):
    """A part: its place in the grid, and how many rows it covers."""

    column: int
    row: int
    title: str
    lines: tuple[str, ...]
    rows: int = 1

    @property
    def left(self) -> int:
        return _COLUMNS[self.column]

    @property
    def top(self) -> int:
        return _ROWS[self.row]

    @property
    def height(self) -> int:
        return _ROWS[self.row + self.rows - 1] - self.top + _BOX_HEIGHT

    def svg(self) -> str:
        middle = self.left + _BOX_WIDTH // 2
        first = self.top + self.height // 2 - 9 * len(self.lines) + 5
        texts = [f'<text x="{middle}" y="{first}" font-size="15" font-weight="600">{escape(self.title)}</text>']
        texts += [
            f'<text x="{middle}" y="{first + 19 * (number + 1)}" font-size="12.5" fill="#44525f">{escape(line)}</text>'
            for number, line in enumerate(self.lines)
        ]
        frame = (
            f'<rect x="{self.left}" y="{self.top}" width="{_BOX_WIDTH}" height="{self.height}" rx="6" '
            'fill="#eef3f7" stroke="#3d4f5f"/>'
        )
        return "\n".join([frame, f'<g text-anchor="middle" {_TEXT}>', *texts, "</g>"])


def block_diagram(config: UnitConfig) -> str:
    """Return the diagram of a unit."""
    body = "\n".join([*(box.svg() for box in _boxes(config)), *_internal(), *_outside(config)])
    return (
        "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">\n'
        "<title>Block diagram of the prefetch unit</title>\n"
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="#3d4f5f"/></marker></defs>\n'
        f'<rect x="120" y="8" width="822" height="{_HEIGHT - 16}" rx="8" fill="none" stroke="#9aa8b4" '
        'stroke-dasharray="5 4"/>\n'
        f"{body}\n</svg>\n"
    )


def _boxes(config: UnitConfig) -> list[_Box]:
    slots = config.slots // config.banks
    predictors = config.predictors or ("none",)
    memory = (f"up to {config.segments} pieces an expert",) if config.segments > 1 else ()
    return [
        _Box(0, 0, "Event intake", (f"up to {config.max_experts} experts",)),
        _Box(1, 0, "Predictors", predictors),
        _Box(2, 0, "Candidate merge", ()),
        _Box(0, 1, "Commit port", ("one change of the", "directory at a time"), 2),
        _Box(1, 1, "Prefetch queue", (f"{config.queue_depth} entries",)),
        _Box(1, 2, "Residency directory", (
            f"{config.max_layers} x {config.max_experts} keys, {config.slots} slots",
            f"victim search, {config.scan_lanes} slots a cycle",
        )),
        _Box(2, 2, "Registers, counters", ("AXI4-Lite",)),
        _Box(0, 3, "DMA controller", (f"{config.bus_bytes * 8} bits, {config.outstanding} bursts", *memory)),
        _Box(1, 3, "Expert SRAM", (
            f"{config.banks} banks, {slots} slots each", f"slot of {config.slot_bytes:,} bytes",
        )),
    ]  # fmt: skip


def _path(*points: tuple[int, int], both: bool = False) -> str:
    line = " ".join(f"{x} {y}" for x, y in points)
    start = ' marker-start="url(#head)"' if both else ""
    return f'<path d="M{line}" {_LINE} marker-end="url(#head)"{start}/>'


def _middle(row: int) -> int:
    return _ROWS[row] + _BOX_HEIGHT // 2


def _internal() -> Iterator[str]:
    """Yield the arrows between parts."""
    a, b, c = _COLUMNS
    a_end, b_end = a + _BOX_WIDTH, b + _BOX_WIDTH
    for row, start, end in ((0, a_end, b), (0, b_end, c), (3, a_end, b)):
        yield _path((start, _middle(row)), (end, _middle(row)))
    yield _path((b, _middle(1)), (a_end, _middle(1)))
    yield _path((a_end, _middle(2)), (b, _middle(2)), both=True)
    half = _BOX_WIDTH // 2
    for row in (1, 3):
        yield _path((a + half, _ROWS[row - 1] + _BOX_HEIGHT), (a + half, _ROWS[row]))
    yield _path((c + half, _ROWS[0] + _BOX_HEIGHT), (c + half, _middle(1)), (b_end, _middle(1)))


def _outside(config: UnitConfig) -> Iterator[str]:
    """Yield the ports: a name, and an arrow from or to the unit's edge."""
    left, right = 112, _COLUMNS[2] + _BOX_WIDTH
    for name, y, inward in (
        ("route", _middle(0), True), ("grant", _middle(1) + 20, False), ("release", _middle(2) - 20, True),
        ("m_axi", _middle(3), None),
    ):  # fmt: skip
        inner, outer = (_COLUMNS[0], y), (left - 14, y)
        yield _path(*((outer, inner) if inward is not False else (inner, outer)), both=inward is None)
        yield _name(left - 20, y, name, "end")
    for name, y, inward in (
        ("hint", _middle(0), True), ("s_axil", _middle(2) - 18, None), ("irq", _middle(2) + 18, False),
    ):  # fmt: skip
        inner, outer = (right, y), (right + 52, y)
        yield _path(*((outer, inner) if inward is not False else (inner, outer)), both=inward is None)
        yield _name(right + 58, y, name, "start")
    y, first = _middle(3), _COLUMNS[1] + _BOX_WIDTH
    yield _path((first, y), (right + 52, y))
    yield _name(right + 58, y, "read_0" if config.n_pe == 1 else f"read_0 .. {config.n_pe - 1}", "start")


def _name(x: int, y: int, text: str, anchor: str) -> str:
    style = f'text-anchor="{anchor}" font-size="14" font-family="ui-monospace, monospace"'
    return f'<text x="{x}" y="{y + 4}" {style}>{text}</text>'

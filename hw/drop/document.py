"""A document of headings, paragraphs, tables and a figure, and its two forms: Markdown, and HTML that stands alone.

Text between backticks is code in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from ..markdown import table

_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { border: 1px solid #d4dae0; padding: .25rem .6rem; text-align: left; vertical-align: top; }
th { background: #f2f5f7; } code { font: 13px/1.4 ui-monospace, monospace; white-space: nowrap; }
h2 { margin: 2.2rem 0 .3rem; border-bottom: 1px solid #d4dae0; } h3 { margin: 1.2rem 0 0; } svg { max-width: 100%; }
@media print { body { margin: 0; font-size: 11px; } h2, h3 { break-after: avoid; } tr, svg { break-inside: avoid; } }
"""


class Heading(NamedTuple):
    """A heading, of level 2 or 3."""

    text: str
    level: int = 2


class Table(NamedTuple):
    """A table; cells are text or numbers."""

    heading: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]


class Figure(NamedTuple):
    """An SVG, which lies in the file `name` beside the Markdown, and what it shows."""

    name: str
    text: str
    svg: str


Block = str | Heading | Table | Figure
"""A paragraph is a plain string."""


def to_markdown(title: str, blocks: Iterable[Block]) -> str:
    """Return the document as Markdown."""
    parts = [f"<!-- SPDX-License-Identifier: Apache-2.0 -->\n# {title}"]
    for block in blocks:
        match block:
            case Heading(text, level):
                parts.append(f"{'#' * level} {text}")
            case Table(heading, rows):
                parts.append(table(heading, rows))
            case Figure(name, text, _):
                parts.append(f"![{text}]({name})")
            case _:
                parts.append(block)
    return "\n\n".join(parts) + "\n"


def to_html(title: str, blocks: Iterable[Block]) -> str:
    """Return the document as an HTML page that needs nothing from elsewhere."""
    parts = []
    for block in blocks:
        match block:
            case Heading(text, level):
                parts.append(f"<h{level}>{_inline(text)}</h{level}>")
            case Table(heading, rows):
                parts.append(_table(heading, rows))
            case Figure(_, _, svg):
                parts.append(svg[svg.index("<svg") :].rstrip())
            case _:
                parts.append(f"<p>{_inline(block)}</p>")
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<!-- SPDX-License-Identifier: Apache-2.0 -->\n<head>\n'
        f'<meta charset="utf-8">\n<title>{escape(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n'
        f"<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _inline(text: object) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(str(text), quote=False))


def _table(heading: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    head = "".join(f"<th>{_inline(cell)}</th>" for cell in heading)
    body = "\n".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"

"""The register map as one HTML page, without scripts and without anything from elsewhere."""

from collections.abc import Iterable
from html import escape

from .register_map import Register
from .register_markdown import ACCESS, bits_text, range_text

_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
th, td { border: 1px solid #d4dae0; padding: .3rem .6rem; text-align: left; vertical-align: top; }
th { background: #f2f5f7; } code { font: 13px/1.4 ui-monospace, monospace; white-space: nowrap; }
h2 { margin: 2rem 0 0; } a { color: #14508c; }
"""


def registers_html(registers: Iterable[Register], *, title: str) -> str:
    """Return the page: a table of all registers that links to the fields of each."""
    registers = list(registers)
    rows = [
        (f'<a href="#{r.name}"><code>{r.name}</code></a>', _offset(r), f"{r.width}", f"<code>0x{r.reset:X}</code>",
         escape(r.description))
        for r in registers
    ]  # fmt: skip
    summary = _table(("register", "offset", "bits", "reset", "meaning"), rows)
    sections = "\n".join(_section(register) for register in registers)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<!-- SPDX-License-Identifier: Apache-2.0 -->\n<head>\n'
        f'<meta charset="utf-8">\n<title>{escape(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n'
        f"<body>\n<h1>{escape(title)}</h1>\n{summary}\n{sections}\n</body>\n</html>\n"
    )


def _section(register: Register) -> str:
    index = f", i = 0 to {register.count - 1}" if register.count > 1 else ""
    rows = [
        (bits_text(field), f"<code>{field.name}</code>", ACCESS[field.access], range_text(field),
         escape(field.description))
        for field in register.fields
    ]  # fmt: skip
    fields = _table(("bits", "field", "access", "range", "meaning"), rows)
    heading = f'<h2 id="{register.name}">{register.name}</h2>'
    return f"{heading}\n<p>Offset {_offset(register)}{index}. {escape(register.description)}</p>\n{fields}"


def _offset(register: Register) -> str:
    return f"<code>0x{register.offset:03X}</code>" + (f" + {register.stride} i" if register.count > 1 else "")


def _table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{cell}</th>" for cell in heading)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"

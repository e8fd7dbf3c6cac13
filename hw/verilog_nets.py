"""Nets that yosys drives part by part, driven at once.

A simulator that knows strengths, as Icarus does, resolves the whole net again, bit by bit, whenever one of its parts
changes: on the replay's memory word of 512 bits that was half of all its time.
"""

import re
from collections import defaultdict
from dataclasses import dataclass

_WIRE = re.compile(r"^  wire (?:\[(\d+):0\] )?(\w+);$", re.M)
_ASSIGN = re.compile(r"^  assign (\{[^}]*\}|\w+ ?\[\d+(?::\d+)?\]) = (.*);$", re.M)
_TARGET = re.compile(r"(\w+)(?: ?\[(\d+)(?::(\d+))?\])?")


@dataclass(frozen=True)
class _Part:
    """Bits `low` to `high` of `net`, one of the targets of an assignment."""

    net: str
    low: int
    high: int

    @property
    def width(self) -> int:
        return self.high - self.low + 1


def whole_nets(text: str) -> str:
    """Return the text of one module with each net whose parts are assigned one by one assigned once, as a whole.

    An assignment to such a part goes to a new net of its own width, so that its expression is evaluated as before. Nets
    that something else drives in part stay as they are. The same input gives the same names.
    """
    module, end, rest = text.partition("\nendmodule")
    widths = {name: int(high or 0) + 1 for high, name in _WIRE.findall(module)}
    assigns = [
        (match, _parts(match[1], widths))
        for match in _ASSIGN.finditer(module)
        if all(target[1] in widths for target in _TARGET.finditer(match[1]))
    ]
    whole = _driven_in_full([part for _, parts in assigns for part in parts], widths)
    pieces: dict[str, list[tuple[int, str]]] = defaultdict(list)
    lines, done, number = [], 0, 0
    for match, parts in assigns:
        if not any(part.net in whole for part in parts):
            continue
        number += 1
        name, width = f"_parts_{number}_", sum(part.width for part in parts)
        lines += [module[done : match.start()], f"  wire {_range(width)}{name} = {match[2]};"]
        done, left = match.end(), width
        for part in parts:
            left -= part.width
            bits = name if part.width == width else f"{name}[{left + part.width - 1}:{left}]"
            if part.net in whole:
                pieces[part.net].append((part.low, bits))
            else:
                bounds = "" if part.width == widths[part.net] else f"[{part.high}:{part.low}]"
                lines.append(f"\n  assign {part.net}{bounds} = {bits};")
    lines.append(module[done:])
    for net, bits in pieces.items():
        lines.append(f"\n  assign {net} = {{ {', '.join(piece for _, piece in sorted(bits, reverse=True))} }};")
    return "".join(lines) + end + rest


def _range(width: int) -> str:
    return "" if width == 1 else f"[{width - 1}:0] "


def _parts(targets: str, widths: dict[str, int]) -> list[_Part]:
    """Return an assignment's targets, the one of the highest bits first."""
    parts = []
    for net, high, low in _TARGET.findall(targets):
        top = int(high) if high else widths[net] - 1
        bottom = int(low or top) if high else 0
        parts.append(_Part(net=net, low=bottom, high=top))
    return parts


def _driven_in_full(parts: list[_Part], widths: dict[str, int]) -> set[str]:
    """Return the nets of which these parts, at least two, are each bit once."""
    of_net: dict[str, list[_Part]] = defaultdict(list)
    for part in parts:
        of_net[part.net].append(part)
    full = set()
    for net, found in of_net.items():
        ends = [0, *(part.high + 1 for part in sorted(found, key=lambda part: part.low))]
        starts = sorted(part.low for part in found)
        if len(found) > 1 and starts == ends[:-1] and ends[-1] == widths[net]:
            full.add(net)
    return full

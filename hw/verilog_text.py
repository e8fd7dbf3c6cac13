"""Last touches on Verilog text as yosys writes it: plain identifiers, and loops where it repeats lines."""

import re

_ESCAPED = re.compile(r"\\(\S+) ")
_NAME = re.compile(r"\b[A-Za-z_]\w*")
_INITIAL = re.compile(r"  initial begin\n((?:    \w+\[\d+\] = \d+'h0+;\n)+)  end\n")
_ROW = re.compile(r"    (\w+)\[(\d+)\] = (\d+'h0+);\n")
_READ_REGISTER = re.compile(r"^  reg (?:\[\d+:0\] )?(\w+);$", re.M)
SHORTEST_LOOP = 4
"""Rows from which a loop is shorter than its lines."""


def plain_identifiers(text: str) -> str:
    """Return the text with each escaped identifier replaced by one of letters, digits and underscores.

    Names that would clash get a number; the same input gives the same names.
    """
    taken = set(_NAME.findall(_ESCAPED.sub(" ", text)))
    names: dict[str, str] = {}

    def plain(match: re.Match[str]) -> str:
        escaped = match[1]
        if escaped not in names:
            stem = re.sub(r"\W", "_", escaped)
            stem = f"_{stem}" if stem[0].isdigit() else stem
            name, number = stem, 1
            while name in taken:
                number += 1
                name = f"{stem}_{number}"
            taken.add(name)
            names[escaped] = name
        return names[escaped]

    return _ESCAPED.sub(plain, text)


def loops_for_zero_memories(text: str) -> str:
    """Return the text with a loop in place of the one line per row that sets a memory to zero.

    A block that names several memories, or not every row from 0 on, stays as it is.
    """
    loops = 0

    def loop(match: re.Match[str]) -> str:
        nonlocal loops
        rows = _ROW.findall(match[1])
        memory, _, value = rows[0]
        if len(rows) < SHORTEST_LOOP or rows != [(memory, str(row), value) for row in range(len(rows))]:
            return match[0]
        loops += 1
        name = f"_row_{loops}_"
        return (
            f"  integer {name};\n"
            f"  initial for ({name} = 0; {name} < {len(rows)}; {name} = {name} + 1)\n"
            f"    {memory}[{name}] = {value};\n"
        )

    return _INITIAL.sub(loop, text)


def zero_read_registers(text: str) -> str:
    """Return the text with 0, in simulation only, in each register that has no initial value.

    Those are memories' read registers: unknown before the first read in hardware and in Verilog, 0 in Amaranth. In
    synthesis they stay free, for a block RAM's own output register cannot always be set.
    """
    return _READ_REGISTER.sub(lambda match: f"{match[0]}\n`ifndef SYNTHESIS\n  initial {match[1]} = 0;\n`endif", text)

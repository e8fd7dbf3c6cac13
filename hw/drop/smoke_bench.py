"""The plain Verilog bench of a unit: its text, with the unit's ports and sizes in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..config import UnitConfig, bits_for
from ..flat_ports import Port

FILES = Path(__file__).parent / "files"
_READ_PORT = re.compile(r"read_(\d+)_(\w+)")
MEMORY_SIDE = ("m_axi_rvalid", "m_axi_rid", "m_axi_rdata", "m_axi_rresp", "m_axi_rlast")
"""Inputs that the bench's memory drives, on the clock's rising edge."""


def rest_cycles(config: UnitConfig) -> int:
    """Return more cycles than lie between any two movements on the unit's ports before it rests."""
    return 5 * config.max_experts + config.slots + 300


def smoke_bench(config: UnitConfig, ports: Sequence[Port], *, n_lines: int, expert_beats: int) -> str:
    """Return the bench for vectors of `n_lines` instructions and experts of `expert_beats` words."""
    plain = [port for port in ports if not _READ_PORT.fullmatch(port.name)]
    driven = [port.name for port in plain if port.direction == "input" and port.name not in ("clk", "rst")]
    places = {
        "BUS_BYTES": config.bus_bytes,
        "N_PE": config.n_pe,
        "EXPERT_BEATS": expert_beats,
        "REST_CYCLES": rest_cycles(config),
        "SLOT_BITS": config.slot_bits,
        "BEAT_BITS": bits_for(config.slot_beats),
        "LAST": n_lines - 1,
        "SIGNALS": "\n".join(_declaration(port) for port in plain),
        "CONNECTIONS": ",\n".join(f"        .{port.name}({_connection(port.name)})" for port in ports),
        "RESETS": "\n".join(f"        {name} = 0;" for name in driven if name not in MEMORY_SIDE),
    }
    text = (FILES / "smoke_bench.v").read_text(encoding="utf-8")
    return re.sub(r"@(\w+)@", lambda place: str(places[place[1]]), text)


def _declaration(port: Port) -> str:
    kind = "reg" if port.direction == "input" else "wire"
    return f"    {kind} {f'[{port.width - 1}:0] ' if port.width > 1 else ''}{port.name};"


def _connection(name: str) -> str:
    found = _READ_PORT.fullmatch(name)
    if found is None:
        return name
    index, member = found.groups()
    if member == "data":
        return f"read_data[{index}*BUS +: BUS]"
    return f"read_{member}[{index}]" if member in ("valid", "ready") else f"read_{member}"

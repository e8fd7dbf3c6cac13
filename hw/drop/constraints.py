"""Timing constraints of a unit: SDC for ASIC flows, XDC for Vivado, inside a design and out of context."""

from __future__ import annotations

from collections.abc import Sequence

from ..flat_ports import Port

PERIOD_NS = 10.0
"""Clock period that the files begin with; the first line of each is the place to change it."""
IO_SHARE = 0.4
"""Share of the period that lies outside the unit, before its inputs and after its outputs."""
_LICENCE = "# SPDX-License-Identifier: Apache-2.0\n"


def sdc(module: str, ports: Sequence[Port]) -> str:
    """Return constraints for synthesis, place and route and timing analysis of the unit by itself.

    Each port is named, as collections are subtracted by another command in every tool, and by none in OpenSTA.
    """
    return (
        f"{_LICENCE}# {module}: one clock, synchronous reset, no exceptions.\n"
        f"set period {PERIOD_NS}\n"
        "create_clock -name clk -period $period [get_ports clk]\n"
        "set_clock_uncertainty [expr 0.02 * $period] [get_clocks clk]\n"
        f"set outside [expr {IO_SHARE} * $period]\n" + _port_delays(ports, "$outside")
    )


def xdc(module: str) -> str:
    """Return constraints for the unit inside a Vivado design: the clock is the design's, nothing else is needed."""
    return (
        f"{_LICENCE}# {module} inside a design, with SCOPED_TO_REF {module}. Its clock comes from the design's own\n"
        "# constraints; the unit has one clock, no path between clocks, and no exceptions. Memories are inferred.\n"
        "set_property KEEP_HIERARCHY soft [current_instance .]\n"
    )


def out_of_context_xdc(module: str, ports: Sequence[Port]) -> str:
    """Return constraints for synthesis of the unit alone, where no design gives it a clock."""
    return (
        f"{_LICENCE}# {module} out of context; use with USED_IN {{synthesis out_of_context}}.\n"
        f"create_clock -name clk -period {PERIOD_NS:.3f} [get_ports clk]\n"
        + _port_delays(ports, f"{PERIOD_NS * IO_SHARE:.3f}")
    )


def _port_delays(ports: Sequence[Port], delay: str) -> str:
    """Return the delay outside the unit of every port but the clock, inputs first."""
    lines = ""
    for direction in ("input", "output"):
        for port in ports:
            if port.direction == direction and port.name != "clk":
                pins = f"{port.name}[*]" if port.width > 1 else port.name
                lines += f"set_{direction}_delay {delay} -clock clk [get_ports {{{pins}}}]\n"
    return lines

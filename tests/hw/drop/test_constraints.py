"""Do the constraint files name the clock and every port of the unit?"""

import re

from moefetch.hw.drop.constraints import IO_SHARE, PERIOD_NS, out_of_context_xdc, sdc, xdc
from moefetch.hw.flat_ports import Port

PORTS = [
    Port("clk", "input", 1), Port("rst", "input", 1), Port("route_layer", "input", 5), Port("irq", "output", 1),
    Port("m_axi_araddr", "output", 64),
]  # fmt: skip


def test_out_of_context_every_port_but_the_clock_has_its_delay():
    lines = out_of_context_xdc("unit", PORTS).splitlines()
    assert f"create_clock -name clk -period {PERIOD_NS:.3f} [get_ports clk]" in lines
    delay = f"{PERIOD_NS * IO_SHARE:.3f} -clock clk [get_ports"
    assert lines[-4:] == [
        f"set_input_delay {delay} {{rst}}]", f"set_input_delay {delay} {{route_layer[*]}}]",
        f"set_output_delay {delay} {{irq}}]", f"set_output_delay {delay} {{m_axi_araddr[*]}}]",
    ]  # fmt: skip


def test_sdc_names_every_port_with_commands_that_opensta_takes_too():
    lines = [line for line in sdc("unit", PORTS).splitlines() if not line.startswith("#")]
    commands = {"set", "create_clock", "set_clock_uncertainty", "set_input_delay", "set_output_delay"}
    assert {line.split()[0] for line in lines} == commands
    assert set(re.findall(r"\[(\w+)", "".join(lines))) == {"get_ports", "get_clocks", "expr"}
    delay = "$outside -clock clk [get_ports"
    assert lines[-4:] == [
        f"set_input_delay {delay} {{rst}}]", f"set_input_delay {delay} {{route_layer[*]}}]",
        f"set_output_delay {delay} {{irq}}]", f"set_output_delay {delay} {{m_axi_araddr[*]}}]",
    ]  # fmt: skip


def test_one_clock_and_no_exceptions():
    for text in (sdc("unit", PORTS), xdc("unit"), out_of_context_xdc("unit", PORTS)):
        assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")
        assert text.count("create_clock") <= 1
        assert "false_path" not in text and "multicycle" not in text
    assert "create_clock -name clk -period $period [get_ports clk]" in sdc("unit", PORTS)
    assert "create_clock" not in xdc("unit"), "inside a design the clock is the design's"

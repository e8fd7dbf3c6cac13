"""Does the datasheet say what this configuration is, and only what was measured of it?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.drop.datasheet import block_diagram, datasheet
from moefetch.hw.flat_ports import Port
from moefetch.hw.register_map import register_map

CONFIG = UNIT_PRESETS["tiny"]
PORTS = [Port("clk", "input", 1), Port("route_expert", "input", 3), Port("m_axi_araddr", "output", 64)]
AREA = {
    "tools": {"yosys": "1.0"},
    "gates": {
        "unit": {"logic": 1234.5, "memory_bits": 99}, "predictor": {"logic": 100.0, "memory_bits": 9}, "formula": "how",
    },
    "ecp5": {"device": "FPGA", "mhz": 12.3, "parts": {"queue": {"luts": 17}}, "unit": {"luts": 4711}},
}  # fmt: skip


def sheet(area=None):
    return datasheet(CONFIG, PORTS, tools={"moefetch": "1"}, predictions=[("st_moe", 2, 42)], area=area)


def test_every_register_port_and_field_of_the_configuration_is_there():
    text = sheet()
    assert CONFIG.digest in text
    assert all(f"### {register.name}\n" in text for register in register_map(CONFIG))
    assert all(f"| `{port.name}` | {port.direction} | {port.width} |" in text for port in PORTS)
    assert all(f"| `{name}` | `{value}` |" in text for name, value in CONFIG if name != "predictors")
    assert "| st_moe | 2 | 42 |" in text


@pytest.mark.parametrize("preset", UNIT_PRESETS)
def test_the_diagram_has_this_units_sizes_and_fits(preset):
    config = UNIT_PRESETS[preset]
    text = block_diagram(config)
    for words in (
        f"up to {config.max_experts} experts", f"{config.slots} slots, {config.max_layers} x",
        f"read_{config.n_pe - 1}",
        f"{config.bus_bytes * 8} bits, {config.outstanding} bursts", f"{config.queue_depth} entries",
    ):  # fmt: skip
        assert words in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_what_was_not_measured_is_not_claimed():
    text = sheet()
    assert "Not measured for this configuration" in text and "MHz" not in text


def test_measured_figures_are_labelled_with_their_tools():
    text = sheet(AREA)
    assert "12.3 MHz (measured)" in text and "yosys 1.0" in text and "| whole unit | 4,711 | measured |" in text

"""Does the datasheet say what this configuration is, and only what was measured of it?"""

import re

from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.drop.datasheet import datasheet, datasheet_title
from moefetch.hw.drop.document import to_html, to_markdown
from moefetch.hw.flat_ports import Port
from moefetch.hw.register_map import register_map

CONFIG = UNIT_PRESETS["tiny"]
PORTS = [
    Port("clk", "input", 1), Port("m_axi_rdata", "input", 32), Port("route_expert", "input", 3),
    Port("read_0_slot", "input", 3), Port("read_1_slot", "input", 3), Port("m_axi_araddr", "output", 64),
]  # fmt: skip
AREA = {
    "tools": {"yosys": "1.0"},
    "gates": {
        "unit": {"logic": 1234.5, "memory_bits": 99}, "predictor": {"logic": 100.0, "memory_bits": 9}, "formula": "how",
        "share": 0.0125, "share_with_one_layers_table": 0.00042,
    },
    "ecp5": {"device": "FPGA", "mhz": 12.3, "parts": {"queue": {"luts": 17}}, "unit": {"luts": 4711}},
}  # fmt: skip


def sheet(area=None, config=CONFIG, form=to_markdown):
    blocks = datasheet(config, PORTS, tools={"moefetch": "1"}, predictions=[("st_moe", 2, 42)], area=area)
    return form(datasheet_title(config), blocks)


def test_every_register_port_and_parameter_is_there():
    text = sheet()
    assert CONFIG.digest in text
    assert all(f"| `{register.name}` | {register.width} |" in text for register in register_map(CONFIG))
    for name, bits in (("clk", 1), ("route_expert", 3), ("read_I_slot", 3), ("m_axi_araddr", 64)):
        assert re.search(rf"^\| `{name}` \| (in|out)put \| {bits} \| \S", text, re.MULTILINE), name
    assert "I = 0 to 1" in text and "read_0_slot" not in text
    assert (
        "| `slot_bytes` | 512 | Size of a slot, a multiple of `bus_bytes`. |" in text
        and "| `predictors` | `st_moe`, `st_moe_paper` |" in text
    )
    assert "| `st_moe` | 2 | 42 |" in text


def test_parameters_of_what_the_unit_does_without_are_left_out():
    assert not re.search("weight_lanes|table_window|clock_gating", sheet())
    assert "| `clock_gating` | true |" in sheet(config=CONFIG.replace(clock_gating=True))


def test_both_directions_of_a_channel_stand_together():
    text = sheet()
    assert text.index("m_axi_araddr") < text.index("m_axi_rdata")


def test_both_forms_say_the_same():
    unseen = r"<!--.*?-->|<style>.*?</style>|<title>.*?</title>|<svg.*?</svg>|<[^>]*>"
    words = re.findall(r"\w+", re.sub(unseen, " ", sheet(AREA, form=to_html), flags=re.DOTALL))
    text = re.sub(r"<!--.*?-->|!\[.*?\]\(.*?\)|---", "", sheet(AREA))
    assert words == re.findall(r"\w+", text)


def test_what_was_not_measured_is_not_claimed():
    text = sheet()
    assert "Not measured for this configuration" in text and "MHz" not in text


def test_measured_figures_are_labelled_with_their_tools():
    text = sheet(AREA)
    assert "12.3 MHz (measured)" in text and "yosys 1.0" in text and "| whole unit | 4,711 | measured |" in text
    assert "1.250% of the unit; with one layer's table on chip it would be 0.042% (modelled)" in text
    assert "Not placed" not in text


def test_a_unit_that_no_ecp5_holds_says_so():
    text = sheet({name: value for name, value in AREA.items() if name != "ecp5"})
    assert "Not placed and routed" in text and "MHz" not in text and "| predictor | 100 | 9 | measured |" in text

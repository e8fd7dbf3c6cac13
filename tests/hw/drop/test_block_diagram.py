"""Has the block diagram this unit's sizes, and does its text fit?"""

from xml.etree import ElementTree

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.drop.block_diagram import block_diagram

SPACE = {"svg": "http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("preset", UNIT_PRESETS)
def test_sizes_and_ports(preset):
    config = UNIT_PRESETS[preset]
    texts = [text.text for text in ElementTree.fromstring(block_diagram(config)).iterfind(".//svg:text", SPACE)]
    for words in (
        f"up to {config.max_experts} experts", f"{config.max_layers} x {config.max_experts} keys, {config.slots} slots",
        f"{config.bus_bytes * 8} bits, {config.outstanding} bursts", f"{config.queue_depth} entries",
        f"read_0 .. {config.n_pe - 1}", *config.predictors,
        "route", "hint", "grant", "release", "m_axi", "s_axil", "irq",
    ):  # fmt: skip
        assert words in texts, words


@pytest.mark.parametrize("preset", UNIT_PRESETS)
def test_text_fits_into_its_box(preset):
    """A character of the small text is half its height wide, or less, on average."""
    root = ElementTree.fromstring(block_diagram(UNIT_PRESETS[preset].replace(segments=4)))
    boxed = root.findall("svg:g/svg:text", SPACE)
    assert len(boxed) > 15
    for text in boxed:
        assert len(text.text) * float(text.get("font-size")) * 0.55 <= 212, text.text


def test_pieces_are_named_where_there_are_some():
    tiny = UNIT_PRESETS["tiny"]
    assert "pieces" not in block_diagram(tiny)
    assert "up to 3 pieces an expert" in block_diagram(tiny.replace(segments=3))

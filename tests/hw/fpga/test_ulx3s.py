"""Do the board's pins and clock come out where the board has them?"""

import sys

import pytest
from moefetch.hw.fpga.ulx3s import BAUD, CLOCK_HZ, DIVISOR, Ulx3sTop, ulx3s_platform
from moefetch.traces.errors import UserError

from .test_program import small_test

PINS = {
    "clk25_0__io": "G2", "button_fire_0__io": "R1", "uart_0__tx__io": "L4", "led_0__io": "B2", "led_1__io": "C2",
    "led_2__io": "C1", "esp32_0__gpio0__io": "L2",
}  # fmt: skip


def test_pins_and_clock_are_the_boards():
    pytest.importorskip("amaranth_boards")
    plan = ulx3s_platform().prepare(Ulx3sTop(test=small_test()), "top", emit_src=False)
    lines = plan.files["top.lpf"].splitlines()
    found = [line.split('"')[1::2] for line in lines if line.startswith("LOCATE")]
    assert dict(found) == PINS
    assert f'FREQUENCY PORT "clk25_0__io" {CLOCK_HZ:.1f} HZ;' in lines
    assert "moefetch_sram_1rw" in plan.files["top.il"], "the SRAM is not the wrapper"


def test_the_line_is_as_fast_as_it_says():
    assert DIVISOR == 25 and CLOCK_HZ == DIVISOR * BAUD


def test_without_the_package_the_mistake_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "amaranth_boards.ulx3s", None)
    with pytest.raises(UserError, match=r"amaranth-boards is not installed: pip install 'moefetch\[fpga\]'"):
        ulx3s_platform()

"""The self-test on a ULX3S: a Radiona board with a Lattice ECP5-85F; pins and clock as amaranth-boards has them."""

from typing import Any

from amaranth import Cat, ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer

from ...traces.errors import UserError
from ..verilog_platform import VerilogPlatform
from .program import SelfTestData
from .self_test import SelfTest

CLOCK_HZ = 25_000_000
BAUD = 1_000_000
DIVISOR = round(CLOCK_HZ / BAUD)
"""Clock cycles of a bit, exactly 25. The board's USB serial chip takes up to 3 megabaud."""
RESET_CYCLES = 16
"""Cycles of reset after configuration, and after the button was released."""
UART_PINS = ("rx", "tx", "rts", "dtr")
ESP32_PINS = ("en", "tx", "rx", "gpio0", "gpio5", "gpio16", "gpio17")


def ulx3s_platform() -> Any:
    """Return the platform of a ULX3S with an ECP5-85F; raises UserError if amaranth-boards is not installed.

    Its SRAM banks are the wrapper module of the drop, so that they become the block RAM that was measured.
    """
    try:
        from amaranth_boards.ulx3s import ULX3S_85F_Platform
    except ImportError:
        raise UserError("amaranth-boards is not installed: pip install 'moefetch[fpga]'") from None

    class Platform(VerilogPlatform, ULX3S_85F_Platform):
        """A ULX3S for which the SRAM's banks are Verilog."""

    return Platform()


class Ulx3sTop(Elaboratable):
    """Connects a self-test to the board: 25 MHz oscillator, USB serial line, LEDs, button FIRE 1.

    LED 0: running, 1: passed, 2: failed. The button starts the test again. Latency: the test begins 16 cycles after
    configuration, and 18 after the button was released, each time it bounces. Throughput: as `SelfTest`.

    Parameters
    ----------
    test : SelfTestData
        The replay and what is expected of it.
    divisor : int
        Clock cycles of a bit on the serial line; another one than the board's is for simulation.
    """

    def __init__(self, *, test: SelfTestData, divisor: int = DIVISOR):
        self._test = SelfTest(test=test, divisor=divisor)

    def elaborate(self, platform: Any) -> Module:
        """Elaborate."""
        m = Module()
        m.submodules.test = test = self._test
        m.submodules.clock = clock = io.Buffer("i", platform.request("clk25", dir="-"))
        m.submodules.button = button = io.Buffer("i", platform.request("button_fire", 0, dir="-"))
        serial = platform.request("uart", 0, dir=dict.fromkeys(UART_PINS, "-"))
        m.submodules.serial = line = io.Buffer("o", serial.tx)
        leds = [io.Buffer("o", platform.request("led", index, dir="-")) for index in range(3)]
        for index, led in enumerate(leds):
            m.submodules[f"led_{index}"] = led
        # Designs for this board hold GPIO0 high: low, it can make the ESP32 restart the FPGA.
        esp32 = platform.request("esp32", 0, dir=dict.fromkeys(ESP32_PINS, "-"))
        m.submodules.gpio0 = gpio0 = io.Buffer("o", esp32.gpio0)
        m.d.comb += [
            line.o.eq(test.tx),
            gpio0.o.eq(1),
            Cat(led.o for led in leds).eq(Cat(test.running, test.passed, test.failed)),
        ]
        self._clock(m, clock.i, button.i)
        return m

    @staticmethod
    def _clock(m, clock, button):
        """Drive `sync` by the oscillator, in reset at first and as long as the button is pressed."""
        m.domains.boot, m.domains.sync = ClockDomain("boot", reset_less=True), ClockDomain("sync")
        pressed = Signal()
        left = Signal(range(RESET_CYCLES + 1), init=RESET_CYCLES)
        m.submodules.synchronizer = FFSynchronizer(button, pressed, o_domain="boot")
        with m.If(pressed):
            m.d.boot += left.eq(RESET_CYCLES)
        with m.Elif(left != 0):
            m.d.boot += left.eq(left - 1)
        m.d.comb += [
            ClockSignal("boot").eq(clock),
            ClockSignal("sync").eq(clock),
            ResetSignal("sync").eq(left != 0),
        ]

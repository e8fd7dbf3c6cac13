"""The self-test: the replay harness with its trace and its program in memories, and a serial line."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out, connect

from ..replay_harness import ReplayHarness
from ..replay_words import WORD_BITS
from .program import INSTRUCTION_BITS, SelfTestData
from .sequencer import ADDRESS_BITS, HARNESS_RESULTS, Sequencer
from .uart import UartTransmitter


class SelfTest(wiring.Component):
    """Programs the unit, replays the trace, compares all counters with what was expected, and prints them.

    Begins at reset, and again at each one. Latency: the unit is as fast as in any other replay; printing takes as
    long as the line does. Throughput: one replay from reset to reset.

    Parameters
    ----------
    test : SelfTestData
        The replay and what is expected of it.
    divisor : int
        Clock cycles of a bit on the serial line, at least 1.

    Members
    -------
    tx : Out
        The serial line.
    running, passed, failed : Out
        The program has not ended; it has, and all was, or was not, as expected.

    Raises
    ------
    ValueError
        If the program is too long for the sequencer, or `divisor` below 1.
    """

    def __init__(self, *, test: SelfTestData, divisor: int):
        self._test = test
        self._program = test.program
        if len(self._program) > 1 << ADDRESS_BITS:
            raise ValueError(f"program of {len(self._program)} instructions: must not exceed {1 << ADDRESS_BITS}")
        self._uart = UartTransmitter(divisor=divisor)
        super().__init__({"tx": Out(1, init=1), "running": Out(1), "passed": Out(1), "failed": Out(1)})

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        m.submodules.harness = harness = ReplayHarness(config=self._test.config)
        m.submodules.sequencer = sequencer = Sequencer()
        m.submodules.uart = uart = self._uart
        self._attach_rom(m, "trace", self._test.trace, WORD_BITS, harness.trace_address, harness.trace_data)
        self._attach_rom(m, "program", self._program, INSTRUCTION_BITS, sequencer.address, sequencer.instruction)
        connect(m, sequencer.bus, harness.s_axil)
        connect(m, sequencer.text, uart.characters)
        for name, value in self._test.inputs.items():
            m.d.comb += getattr(harness, name).eq(value)
        cycles = Signal.like(sequencer.replay_cycles)
        m.d.sync += cycles.eq(cycles + (sequencer.start & ~harness.done))
        m.d.comb += sequencer.replay_cycles.eq(cycles)
        for name in HARNESS_RESULTS[1:]:
            m.d.comb += getattr(sequencer, name).eq(getattr(harness, name))
        m.d.comb += [
            harness.start.eq(sequencer.start),
            sequencer.done.eq(harness.done),
            self.tx.eq(uart.tx),
            self.running.eq(~sequencer.halted),
            self.passed.eq(sequencer.halted & ~sequencer.failed),
            self.failed.eq(sequencer.halted & sequencer.failed),
        ]
        return m

    @staticmethod
    def _attach_rom(m, name, words, width, address, word):
        """Put `words`, and a zero after them that the agent looks at, into a memory that answers one cycle later."""
        m.submodules[name] = memory = Memory(shape=width, depth=len(words) + 1, init=words)
        port = memory.read_port()
        m.d.comb += [port.addr.eq(address), word.eq(port.data)]

"""What the replay memory holds at an address, in HDL; `replay_pattern` is the same in Python."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import UnitConfig
from .replay_pattern import BLOCK_BYTES, FACTOR, SALT, STEP, WORD_BYTES


class ReplayWord(wiring.Component):
    """Computes the bus word at `address`, whose bits within a bus word are ignored.

    Latency: combinational. Throughput: one word a cycle. The 32-bit words of a bus word follow each other
    by a constant. Sums rather than XORs with constants, which Verilog writers take apart bit by bit.
    """

    def __init__(self, *, config: UnitConfig):
        self._bus_bytes = config.bus_bytes
        super().__init__({"address": In(64), "word": Out(config.bus_bytes * 8)})

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        words = self._bus_bytes // WORD_BYTES
        bus_bits, block_bits = exact_log2(self._bus_bytes), exact_log2(BLOCK_BYTES)
        block = self.address[block_bits:]
        high = Signal(32)
        folded, base = Signal(32), Signal(32)
        m.d.comb += [
            high.eq(block[32:]),
            folded.eq(block[:32] ^ Cat(high[16:], high[:16])),
            # One step before the first lane, so that no lane is read to make another: simulators take that for a loop.
            base.eq(folded * FACTOR + (SALT - STEP) % (1 << 32) + self.address[bus_bits:block_bits] * (words * STEP)),
            self.word.eq(Cat((base + (lane + 1) * STEP)[:32] for lane in range(words))),
        ]
        return m

"""What the replay memory holds at an address, in HDL; `replay_pattern` is the same in Python."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import UnitConfig
from .replay_pattern import WORD_BYTES, pattern


class ReplayWord(wiring.Component):
    """Computes the bus word at `address`, whose bits within a bus word are ignored.

    Latency: combinational. Throughput: one word a cycle. The pattern is linear over XOR: one mixing network serves
    the whole bus word, and each 32-bit word in it differs by a constant.
    """

    def __init__(self, *, config: UnitConfig):
        self._lanes = config.bus_bytes // WORD_BYTES
        super().__init__({"address": In(64), "word": Out(config.bus_bytes * 8)})

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        lane_bits = exact_log2(self._lanes)
        index, high = Signal(62), Signal(32)
        stages = [Signal(32, name=f"mix_{stage}") for stage in range(4)]
        m.d.comb += [
            index.eq(Cat(Const(0, lane_bits), self.address[2 + lane_bits :])),
            high.eq(index[32:]),
            stages[0].eq(index[:32] ^ Cat(high[16:], high[:16])),
            stages[1].eq(stages[0] ^ (stages[0] << 13)),
            stages[2].eq(stages[1] ^ (stages[1] >> 17)),
            stages[3].eq(stages[2] ^ (stages[2] << 5)),
        ]
        for lane in range(self._lanes):
            m.d.comb += self.word.word_select(lane, 32).eq(stages[3] ^ pattern(lane * WORD_BYTES))
        return m

"""What the replay memory holds at an address, in HDL; `replay_pattern` is the same in Python."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import UnitConfig
from .replay_pattern import SALT


class ReplayWord(wiring.Component):
    """Computes the bus word at `address`, whose bits within a bus word are ignored.

    Latency: combinational. Throughput: one word a cycle.
    """

    def __init__(self, *, config: UnitConfig):
        self._lanes = config.bus_bytes // 4
        super().__init__({"address": In(64), "word": Out(config.bus_bytes * 8)})

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        lane_bits = exact_log2(self._lanes)
        for lane in range(self._lanes):
            index = Signal(62, name=f"index_{lane}")
            stages = [Signal(32, name=f"mix_{lane}_{stage}") for stage in range(4)]
            high = Signal(32, name=f"high_{lane}")
            m.d.comb += [
                index.eq(Cat(Const(lane, lane_bits), self.address[2 + lane_bits :])),
                high.eq(index[32:]),
                stages[0].eq(index[:32] ^ Cat(high[16:], high[:16]) ^ SALT),
                stages[1].eq(stages[0] ^ (stages[0] << 13)),
                stages[2].eq(stages[1] ^ (stages[1] >> 17)),
                stages[3].eq(stages[2] ^ (stages[2] << 5)),
                self.word.word_select(lane, 32).eq(stages[3]),
            ]
        return m

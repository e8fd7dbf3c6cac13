"""The write side of the replay's memory: a unit's tables, whose words the bench keeps."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import UnitConfig
from .interfaces import Axi4Signature
from .row_layout import table_index_bits

TIME_BITS = 17
"""Width of the counts of cycles, one more than that of the settings."""


class TableWordsSignature(wiring.Signature):
    """Words of the tables, seen from the memory: a read answers in the same cycle, a write acts with the clock."""

    def __init__(self, config: UnitConfig):
        index = table_index_bits(config)
        super().__init__(
            {
                "read_index": Out(index),
                "read_word": In(config.bus_bytes * 8),
                "write": Out(1),
                "write_index": Out(index),
                "write_word": Out(config.bus_bytes * 8),
            }
        )


class ReplayTables(wiring.Component):
    """Takes write bursts, one at a time, into the words of the tables; reads are `ReplayMemory`'s.

    Writes have a channel of their own, as AXI has: they do not wait for reads, nor reads for them.

    Latency: a word is taken `cycles_per_beat` cycles after the address or the word before, the response comes
    `latency` cycles after the last one. Throughput: one word every `cycles_per_beat` cycles.

    Members
    -------
    axi : In(Axi4Signature)
        Its write channels; the tables begin at a multiple of their size.
    latency, cycles_per_beat : In(16)
        At least 1; 0 counts as 1.
    write : Out(1), write_index, write_word : Out
        Pulse: this word of the tables changes.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            {
                "axi": In(Axi4Signature(config)),
                "latency": In(16),
                "cycles_per_beat": In(16),
                "write": Out(1),
                "write_index": Out(table_index_bits(config)),
                "write_word": Out(config.bus_bytes * 8),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        axi, low = self.axi, exact_log2(self._config.bus_bytes)
        waited = Signal(TIME_BITS)
        m.d.comb += [
            self.write.eq(axi.wvalid & axi.wready),
            self.write_word.eq(axi.wdata),
        ]
        m.d.sync += waited.eq(waited + 1)
        with m.FSM():
            with m.State("ADDRESS"):
                m.d.comb += axi.awready.eq(1)
                m.d.sync += [self.write_index.eq(axi.awaddr >> low), axi.bid.eq(axi.awid), waited.eq(1)]
                with m.If(axi.awvalid):
                    m.next = "WORDS"
            with m.State("WORDS"):
                m.d.comb += axi.wready.eq(waited >= self.cycles_per_beat)
                with m.If(self.write):
                    m.d.sync += [self.write_index.eq(self.write_index + 1), waited.eq(1)]
                    with m.If(axi.wlast):
                        m.next = "RESPONSE"
                with m.Elif(axi.wready):
                    m.d.sync += waited.eq(waited)
            with m.State("RESPONSE"):
                m.d.comb += axi.bvalid.eq(waited >= Mux(self.latency == 0, 1, self.latency))
                with m.If(axi.bvalid & axi.bready):
                    m.next = "ADDRESS"
                with m.Elif(axi.bvalid):
                    m.d.sync += waited.eq(waited)
        return m

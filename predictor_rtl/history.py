"""History table: the experts that each layer selected for the previous token."""

from typing import TYPE_CHECKING, Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out

from ..hw.config import UnitConfig
from ..hw.parity import is_wrong, stored_bits, stored_word, word_of


class HistoryTable(wiring.Component):
    """Stores for each layer a bitmap of `max_experts` bits in memory, and a valid flag in a flip-flop.

    With `parity` each bitmap has a parity bit, and one with a wrong one is void.

    Latency: `experts` is valid `latency` = 1 cycle after `read_layer`. Throughput: one read and one write a
    cycle; a read sees what earlier cycles wrote and cleared.

    Members
    -------
    clear : In
        Pulse: every layer becomes void. Not together with `write`.
    read_layer : In
        Layer to read, below `max_layers`; no enable.
    experts : Out
        Bit e: expert e was selected in the layer of the last cycle's `read_layer`; 0 if that is void.
    wrong : Out
        Only with `parity`: `experts` is 0 for that reason.
    write : In, write_layer : In, write_experts : In
        Replace the bitmap of a layer, which becomes valid.
    """

    latency = 1

    def __init__(self, *, config: UnitConfig):
        self._config = config
        self.contents = MemoryData(shape=stored_bits(config, config.max_experts), depth=config.max_layers, init=[])
        super().__init__(
            ({"wrong": Out(1)} if config.parity else {})
            | {
                "clear": In(1),
                "read_layer": In(config.layer_bits),
                "experts": Out(config.max_experts),
                "write": In(1),
                "write_layer": In(config.layer_bits),
                "write_experts": In(config.max_experts),
            }
        )

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        config = self._config
        m.submodules.bitmaps = bitmaps = Memory(self.contents)
        read: Any = bitmaps.read_port()
        write: Any = bitmaps.write_port()
        valid: Any = Signal(config.max_layers)
        read_valid = Signal()
        wrong = is_wrong(config, read.data)
        m.d.comb += [
            read.addr.eq(self.read_layer),
            write.addr.eq(self.write_layer),
            write.data.eq(stored_word(config, self.write_experts)),
            write.en.eq(self.write),
            self.experts.eq(Mux(read_valid & ~wrong, word_of(config, read.data), 0)),
        ]
        if config.parity:
            m.d.comb += self.wrong.eq(read_valid & wrong)
        m.d.sync += read_valid.eq(valid.bit_select(self.read_layer, 1))
        with m.If(self.clear):
            m.d.sync += valid.eq(0)
        with m.Elif(self.write):
            m.d.sync += valid.bit_select(self.write_layer, 1).eq(1)
        return m

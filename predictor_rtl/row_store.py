"""Row store: the memory of the rows on chip, as words for the engine and as bus words for their way to memory."""

from typing import Any

from amaranth import Cat, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..hw.config import UnitConfig, bits_for
from ..hw.row_layout import RowLayout
from .weight_layout import lanes_of, place_bits_of, source_bits_of
from .weight_table import WeightTable

WEIGHT_BYTE = 8
"""Bits of a weight in memory."""


def row_set_layout(config: UnitConfig) -> data.StructLayout:
    """Return which set of rows it is: those on chip of `source`, for target `layer`."""
    return data.StructLayout({"layer": config.layer_bits, "source": source_bits_of(config)})


class RowStore(WeightTable):
    """Stores `weight_ways` rows of each layer and source in lines, one synchronous memory.

    A line is the wider of an engine's word and a bus word, or a row if that is smaller; the narrower one writes its
    part of it. In a bus word a weight is a signed byte, on chip it has `weight_bits` bits.

    Latency: as `WeightTable` for words and port; `bus_word` is valid one cycle after `read_bus`. Throughput: one read
    and one write a cycle; a read sees the writes of earlier cycles.

    Members
    -------
    unlocked, port, port_busy, read_address, word, write, write_address, write_word
        As in `WeightTable`; the row that the port names must be in way `port_way` of its set.
    port_way : In
        Constant during an access.
    moving : In, row_set : In(row_set_layout), way : In
        This row is coming or going: the memory belongs to its bus words. Else it belongs to words.
    read_bus : In, bus_index : In, bus_word : Out
        Reads a bus word of the row, which stays until the next is read.
    fill : In, fill_word : In
        Writes `fill_word` as bus word `bus_index` of the row.
    """

    def __init__(self, *, config: UnitConfig):
        self._layout = RowLayout(config)
        self._lanes = lanes_of(config)
        self._bus_weights = min(config.bus_bytes, self._layout.row_weights)
        self._line_weights = max(self._lanes, self._bus_weights)
        self._part_weights = min(self._lanes, self._bus_weights)
        super().__init__(config=config)

    def _make_contents(self) -> MemoryData:
        config = self._config
        sets = len(config.weight_sources) << config.layer_bits
        lines = self._layout.row_weights // self._line_weights
        bits = self._line_weights * config.weight_bits
        return MemoryData(shape=bits, depth=sets * config.weight_ways * lines, init=[])

    def _members(self) -> dict[str, wiring.Member]:
        config = self._config
        bus_bits = config.bus_bytes * 8
        return {
            **super()._members(),
            "port_way": In(place_bits_of(config)),
            "moving": In(1),
            "row_set": In(row_set_layout(config)),
            "way": In(place_bits_of(config)),
            "read_bus": In(1),
            "bus_index": In(bits_for(self._layout.words)),
            "bus_word": Out(bus_bits),
            "fill": In(1),
            "fill_word": In(bus_bits),
        }

    def _place_of_port(self):
        return self.port_way

    def _elaborate_memory(self, m, *, read_address, enable, write_address, write_word):
        m.submodules.lines = lines = Memory(self.contents)
        read: Any = lines.read_port()
        write: Any = lines.write_port(granularity=self._part_weights * self._config.weight_bits)
        parts = exact_log2(self._line_weights // self._lanes)
        bus_parts = exact_log2(self._line_weights // self._bus_weights)
        bus_line = Cat(self.bus_index[bus_parts:] if self._has_lines else (), self.way, self.row_set)
        registered = Signal(len(read_address), name="read_address")
        m.d.sync += registered.eq(read_address)
        m.d.comb += [
            read.addr.eq(Mux(self.moving, bus_line, registered[parts:])),
            read.en.eq(~self.moving | self.read_bus),
            write.addr.eq(Mux(self.moving, bus_line, write_address[parts:])),
        ]
        self._elaborate_word(m, read, registered[:parts])
        self._elaborate_bus_word(m, read, self.bus_index[:bus_parts])
        self._elaborate_writes(m, write, enable, write_address[:parts], write_word, self.bus_index[:bus_parts])

    @property
    def _has_lines(self):
        """A row is several lines."""
        return self._layout.row_weights > self._line_weights

    def _elaborate_word(self, m, read, part):
        """Choose the engine's word of the line."""
        chosen = Signal.like(part)
        m.d.sync += [chosen.eq(part), self.word.eq(read.data.word_select(chosen, self._word_bits))]

    def _elaborate_bus_word(self, m, read, part):
        """Choose the bus's weights of the line, each sign extended to a byte."""
        bits = self._config.weight_bits
        chosen = Signal.like(part)
        with m.If(self.read_bus):
            m.d.sync += chosen.eq(part)
        weights = Signal(self._bus_weights * bits)
        m.d.comb += [
            weights.eq(read.data.word_select(chosen, len(weights))),
            self.bus_word.eq(
                Cat(
                    Cat(weight, weight[-1].replicate(WEIGHT_BYTE - bits))
                    for weight in (weights.word_select(index, bits) for index in range(self._bus_weights))
                )
            ),
        ]

    def _elaborate_writes(self, m, write, enable, part, word, bus_part):
        """Write a word, or what a bus word brings, wherever in the line it belongs."""
        bits = self._config.weight_bits
        brought = Cat(
            self.fill_word[index * WEIGHT_BYTE : index * WEIGHT_BYTE + bits] for index in range(self._bus_weights)
        )
        words, bus_words = self._line_weights // self._lanes, self._line_weights // self._bus_weights
        enables = self._lanes // self._part_weights, self._bus_weights // self._part_weights
        with m.If(self.moving):
            m.d.comb += [
                write.data.eq(Cat(brought for _ in range(bus_words))),
                write.en.eq(Cat((self.fill & (bus_part == index)).replicate(enables[1]) for index in range(bus_words))),
            ]
        with m.Else():
            m.d.comb += [
                write.data.eq(Cat(word for _ in range(words))),
                write.en.eq(Cat((enable & (part == index)).replicate(enables[0]) for index in range(words))),
            ]

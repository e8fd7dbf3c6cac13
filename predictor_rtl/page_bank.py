"""Page bank: the memory of one layer's table, as rows for the predictor and as bus words for its way to memory."""

from typing import TYPE_CHECKING, Any

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..hw.config import UnitConfig, bits_for
from ..hw.table_layout import CONFIDENCE_LSB, ENTRY_BYTES, TableLayout
from .cct import entry_layout, row_layout

ENTRY_BITS = 8 * ENTRY_BYTES


class PageBank(wiring.Component):
    """Stores the rows of one layer in lines, one synchronous memory; see `TableLayout` for lines, words and entries.

    A memory of zeros is an empty table, as in `CorrelationTable`: an expert is stored XORed with its entry's index.

    Latency: `row` and `word` are valid `latency` = 1 cycle after their address. Throughput: one read and one write a
    cycle; a read sees the writes of earlier cycles.

    Members
    -------
    moving : In
        The page is coming or going: the bank belongs to its words. Else it belongs to rows.
    read_row : In, row : Out
        A row's number, and its entries; no enable.
    write : In, write_row, entries : In
        A bit for each entry of row `write_row` that is to be written.
    read_word : In, word_index : In, word : Out
        Reads a bus word, which stays until the next is read.
    fill : In, fill_word : In
        Writes `fill_word` as word `word_index`.
    """

    latency = 1

    def __init__(self, *, config: UnitConfig):
        self._config = config
        self._layout = layout = TableLayout(config)
        self._line = data.ArrayLayout(entry_layout(config), layout.rows_per_line * config.max_top_k)
        self.contents = MemoryData(shape=self._line, depth=layout.lines, init=[])
        bus_bits = config.bus_bytes * 8
        super().__init__(
            {
                "moving": In(1),
                "read_row": In(config.expert_bits),
                "row": Out(row_layout(config)),
                "write": In(config.max_top_k),
                "write_row": In(config.expert_bits),
                "entries": In(row_layout(config)),
                "read_word": In(1),
                "word_index": In(bits_for(layout.words)),
                "word": Out(bus_bits),
                "fill": In(1),
                "fill_word": In(bus_bits),
            }
        )

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        m.submodules.lines = lines = Memory(self.contents)
        read: Any = lines.read_port()
        write: Any = lines.write_port(granularity=1)
        word_line = self.word_index[exact_log2(self._layout.words_per_line) :]
        m.d.comb += [
            read.addr.eq(Mux(self.moving, word_line, self._line_of(self.read_row))),
            read.en.eq(~self.moving | self.read_word),
            write.addr.eq(Mux(self.moving, word_line, self._line_of(self.write_row))),
        ]
        self._elaborate_row(m, read)
        self._elaborate_word(m, read)
        self._elaborate_write(m, write)
        return m

    def _line_of(self, row):
        return row[exact_log2(self._layout.rows_per_line) :]

    def _place_of(self, row):
        """Return which row of its line it is."""
        return row[: exact_log2(self._layout.rows_per_line)]

    def _part_of(self, word):
        """Return which word of its line it is."""
        return word[: exact_log2(self._layout.words_per_line)]

    def _places(self):
        """Yield for each stored entry its index in the line, its row, its index in the row, its bit in the words."""
        entries, layout = self._config.max_top_k, self._layout
        for row in range(layout.rows_per_line):
            for entry in range(entries):
                yield row * entries + entry, row, entry, (row * layout.row_places + entry) * ENTRY_BITS

    def _elaborate_row(self, m, read):
        place = Signal.like(self._place_of(self.read_row))
        m.d.sync += place.eq(self._place_of(self.read_row))
        row: Any = Signal(row_layout(self._config))
        m.d.comb += row.eq(read.data.as_value().word_select(place, len(row.as_value())))
        for entry in range(self._config.max_top_k):
            m.d.comb += [
                self.row[entry].expert.eq(row[entry].expert ^ entry),
                self.row[entry].confidence.eq(row[entry].confidence),
            ]

    def _elaborate_word(self, m, read):
        """Spread the line's entries over its words, and choose one."""
        layout, bus_bits = self._layout, self._config.bus_bytes * 8
        words = Signal(layout.words_per_line * bus_bits)
        for index, _, _, low in self._places():
            stored = read.data[index]
            top = low + CONFIDENCE_LSB
            m.d.comb += [
                words[low : low + len(stored.expert)].eq(stored.expert),
                words[top : top + len(stored.confidence)].eq(stored.confidence),
            ]
        part = Signal.like(self._part_of(self.word_index))
        with m.If(self.read_word):
            m.d.sync += part.eq(self._part_of(self.word_index))
        m.d.comb += self.word.eq(words.word_select(part, bus_bits))

    def _elaborate_write(self, m, write):
        bus_bits = self._config.bus_bytes * 8
        for index, row, entry, low in self._places():
            part, low_in_word = divmod(low, bus_bits)
            top = low_in_word + CONFIDENCE_LSB
            stored, written = write.data[index], self.entries[entry]
            is_filled = self.fill & (self._part_of(self.word_index) == part)
            is_written = self.write[entry] & (self._place_of(self.write_row) == row)
            m.d.comb += write.en[index].eq(Mux(self.moving, is_filled, is_written))
            with m.If(self.moving):
                m.d.comb += [
                    stored.expert.eq(self.fill_word[low_in_word:top]),
                    stored.confidence.eq(self.fill_word[top:]),
                ]
            with m.Else():
                m.d.comb += [stored.expert.eq(written.expert ^ entry), stored.confidence.eq(written.confidence)]

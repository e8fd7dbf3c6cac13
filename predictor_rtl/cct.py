"""Cross-layer correlation table: the memory of ST-MoE's spatial predictor."""

from typing import TYPE_CHECKING, Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out

from ..hw.config import UnitConfig
from ..hw.interfaces import TableSignature
from ..hw.parity import is_wrong, stored_array, stored_word, word_of

CONFIDENCE_BITS = 2


def entry_layout(config: UnitConfig) -> data.StructLayout:
    """Return a table entry: an expert of the next layer and how sure it is, 0 to 3."""
    return data.StructLayout({"expert": config.expert_bits, "confidence": CONFIDENCE_BITS})


def row_layout(config: UnitConfig) -> data.ArrayLayout:
    """Return a row: the entries of one expert of a layer."""
    return data.ArrayLayout(entry_layout(config), config.max_top_k)


def stored_row_layout(config: UnitConfig) -> data.ArrayLayout:
    """Return a row as it lies in memory."""
    if config.parity:
        return stored_array(config, entry_layout(config).size, config.max_top_k)
    return row_layout(config)


class CorrelationTable(wiring.Component):
    """Stores a row of `max_top_k` entries for each layer and expert, in one synchronous memory.

    Entry j of a row never written is {expert j, confidence 0}. The memory stores each expert XORed with its
    entry's index, so this is a memory of zeros and needs no list of initial values.

    Block RAM is slow to answer: the engine's address, which comes out of such a memory, and the row are
    registered before anything else.

    Latency: `row` is valid `latency` = 3 cycles after its address; a table read answers after 2. Throughput: one
    read and one write a cycle. A row sees the writes up to the cycle of its address.

    With `parity` each entry has a parity bit. A row with a wrong one reads as a row never written, until it is taught
    or loaded anew.

    Members
    -------
    wrong : Out
        Only with `parity`: `row` had a wrong entry.
    port_wrong : Out
        Only with `parity`. Pulse: so had the row of a table read, in the cycle before its answer.
    unlocked : In
        The table port owns the memory, and is `ready`; else the engine does.
    table : In(TableSignature)
        Access entry by entry. The answer stays until the next read's, or until the port is locked.
    read_layer, read_expert : In
        Address of the row that the engine reads; no enable.
    row : Out
        The row of the engine's address three cycles ago; undefined in the first three cycles in which it owns
        the memory.
    write : In
        The engine writes `write_row` as the row of `write_layer` and `write_expert`; not while `unlocked`.
    """

    latency = 3

    def __init__(self, *, config: UnitConfig):
        self._config = config
        depth = config.max_layers << config.expert_bits
        self.contents = MemoryData(shape=stored_row_layout(config), depth=depth, init=[])
        super().__init__(
            ({"wrong": Out(1), "port_wrong": Out(1)} if config.parity else {})
            | {
                "unlocked": In(1),
                "table": In(TableSignature(config)),
                "read_layer": In(config.layer_bits),
                "read_expert": In(config.expert_bits),
                "row": Out(row_layout(config)),
                "write": In(1),
                "write_layer": In(config.layer_bits),
                "write_expert": In(config.expert_bits),
                "write_row": In(row_layout(config)),
            }
        )

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        config, table = self._config, self.table
        m.submodules.rows = rows = Memory(self.contents)
        read: Any = rows.read_port()
        write: Any = rows.write_port(granularity=1)
        table_address = Cat(table.row, table.layer)
        engine_address = Signal(len(table_address))
        m.d.sync += engine_address.eq(Cat(self.read_expert, self.read_layer))
        m.d.comb += [
            table.ready.eq(self.unlocked),
            read.addr.eq(Mux(self.unlocked, table_address, engine_address)),
            write.addr.eq(Mux(self.unlocked, table_address, Cat(self.write_expert, self.write_layer))),
        ]
        with m.If(self.unlocked):
            m.d.comb += write.en.eq(table.write << table.entry)
        with m.Else():
            m.d.comb += write.en.eq(self.write.replicate(config.max_top_k))
        for index in range(config.max_top_k):
            written = self.write_row[index]
            expert = Mux(self.unlocked, table.expert, written.expert)
            confidence = Mux(self.unlocked, table.confidence, written.confidence)
            entry = Cat((expert ^ index)[: config.expert_bits], confidence)
            m.d.comb += Value.cast(write.data[index]).eq(stored_word(config, entry))
        self._elaborate_answer(m, [Value.cast(read.data[index]) for index in range(config.max_top_k)])
        return m

    def _elaborate_answer(self, m, read_row):
        """Register the row: each one of the engine's, but of the table port's only one that was asked for."""
        table = self.table
        asked = Signal()
        entry = Signal.like(table.entry)
        m.d.sync += [asked.eq(table.read & table.ready), entry.eq(table.entry)]
        s1_entry = Signal.like(table.entry)
        wrong = Cat(is_wrong(self._config, stored) for stored in read_row).any()
        with m.If(asked | ~self.unlocked):
            m.d.sync += s1_entry.eq(entry)
            for index, stored in enumerate(read_row):
                word = word_of(self._config, stored)
                if self._config.parity:
                    word = Mux(wrong, 0, word)
                expert_bits = self._config.expert_bits
                m.d.sync += [
                    self.row[index].expert.eq(word[:expert_bits] ^ index),
                    self.row[index].confidence.eq(word[expert_bits:]),
                ]
        if self._config.parity:
            m.d.comb += self.port_wrong.eq(asked & wrong)
            m.d.sync += self.wrong.eq(wrong)
        m.d.comb += [
            table.read_expert.eq(self.row[s1_entry].expert),
            table.read_confidence.eq(self.row[s1_entry].confidence),
        ]

"""Row list: which table rows a prediction reads, for the coming prediction and for those that are not learnt yet."""

from typing import TYPE_CHECKING, Any

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..hw.config import UnitConfig, bits_for
from .weight_layout import place_bits_of, rows_of, source_bits_of


def row_name_layout(config: UnitConfig) -> data.StructLayout:
    """Return a row's name within a layer: an expert of a source."""
    return data.StructLayout({"expert": config.expert_bits, "source": source_bits_of(config)})


def row_place_layout(config: UnitConfig) -> data.StructLayout:
    """Return where a row of a layer lies in the table: by its name, or with `weight_ways` by its way in the source."""
    return data.StructLayout({"expert": place_bits_of(config), "source": source_bits_of(config)})


class RowList(wiring.Component):
    """Keeps the rows of `weight_ahead` + 1 predictions, in as many banks of one memory.

    The oldest list is what was predicted for the present event and is to be learnt; it holds the rows exactly as they
    were read, so learning needs no context of the past.

    Latency: `count` follows `add`, and `read_row` its index, `latency` = 1 cycle later; a read sees the rows of
    earlier cycles. Throughput: one row in and one out a cycle.

    Members
    -------
    clear : In
        Pulse: the coming list becomes empty; a row that is added in the same cycle is its first.
    add : In, row : In
        Pulse: `row` joins the coming list.
    swap : In
        Pulse: the oldest list is given up, and its bank is the coming list's, which is then to be cleared.
    bank, oldest_bank : Out
        Where the coming and the oldest prediction lie.
    count, oldest_count : Out
        Rows of these lists.
    read_index : In, read_oldest : In, read_row : Out
        Synchronous read of either list.
    """

    latency = 1

    def __init__(self, *, config: UnitConfig):
        self._config = config
        count_bits = bits_for(rows_of(config) + 1)
        bank_bits = bits_for(config.weight_ahead + 1)
        row = row_name_layout(config)
        super().__init__(
            {
                "clear": In(1),
                "add": In(1),
                "row": In(row),
                "swap": In(1),
                "bank": Out(bank_bits),
                "oldest_bank": Out(bank_bits, init=1),
                "count": Out(count_bits),
                "oldest_count": Out(count_bits),
                "read_index": In(bits_for(rows_of(config))),
                "read_oldest": In(1),
                "read_row": Out(row),
            }
        )

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        index_bits = len(self.read_index)
        row: Any = row_name_layout(self._config)
        m.submodules.banks = banks = Memory(shape=row, depth=(1 << len(self.bank)) << index_bits, init=[])
        write: Any = banks.write_port()
        read: Any = banks.read_port()
        last_bank = self._config.weight_ahead
        counts = Array(Signal.like(self.count, name=f"count_{index}") for index in range(last_bank + 1))
        base = Signal.like(self.count)
        m.d.comb += [
            base.eq(Mux(self.clear, 0, self.count)),
            write.addr.eq(Cat(base[:index_bits], self.bank)),
            write.data.eq(self.row),
            write.en.eq(self.add),
            read.addr.eq(Cat(self.read_index, Mux(self.read_oldest, self.oldest_bank, self.bank))),
            self.read_row.eq(read.data),
            self.oldest_count.eq(counts[self.oldest_bank]),
        ]
        m.d.sync += self.count.eq(base + self.add)
        with m.If(self.swap):
            m.d.sync += [
                counts[self.bank].eq(self.count),
                self.bank.eq(self.oldest_bank),
                self.oldest_bank.eq(Mux(self.oldest_bank == last_bank, 0, self.oldest_bank + 1)),
            ]
        return m

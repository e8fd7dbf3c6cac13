"""Row list: which table rows a prediction reads, for the coming prediction and for the one before it."""

from typing import TYPE_CHECKING, Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..hw.config import UnitConfig, bits_for
from .weight_layout import rows_of, source_bits_of


def row_name_layout(config: UnitConfig) -> data.StructLayout:
    """Return a row's name within a layer: an expert of a source."""
    return data.StructLayout({"expert": config.expert_bits, "source": source_bits_of(config)})


class RowList(wiring.Component):
    """Keeps the rows of two predictions, in two banks of one memory.

    The older list is what has been predicted and is to be learnt; it holds the rows exactly as they were read, so
    learning needs no context of the past.

    Latency: `count` follows `add`, and `read_row` its index, `latency` = 1 cycle later; a read sees the rows of
    earlier cycles. Throughput: one row in and one out a cycle.

    Members
    -------
    clear : In
        Pulse: the coming list becomes empty; a row that is added in the same cycle is its first.
    add : In, row : In
        Pulse: `row` joins the coming list.
    swap : In
        Pulse: the coming list becomes the older one; the coming one is then to be cleared.
    count, older_count : Out
        Rows of the lists.
    read_index : In, read_older : In, read_row : Out
        Synchronous read of either list.
    """

    latency = 1

    def __init__(self, *, config: UnitConfig):
        self._config = config
        count_bits = bits_for(rows_of(config) + 1)
        row = row_name_layout(config)
        super().__init__(
            {
                "clear": In(1),
                "add": In(1),
                "row": In(row),
                "swap": In(1),
                "count": Out(count_bits),
                "older_count": Out(count_bits),
                "read_index": In(bits_for(rows_of(config))),
                "read_older": In(1),
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
        m.submodules.banks = banks = Memory(shape=row, depth=2 << index_bits, init=[])
        write: Any = banks.write_port()
        read: Any = banks.read_port()
        bank = Signal()
        base = Signal.like(self.count)
        m.d.comb += [
            base.eq(Mux(self.clear, 0, self.count)),
            write.addr.eq(Cat(base[:index_bits], bank)),
            write.data.eq(self.row),
            write.en.eq(self.add),
            read.addr.eq(Cat(self.read_index, bank ^ self.read_older)),
            self.read_row.eq(read.data),
        ]
        m.d.sync += self.count.eq(base + self.add)
        with m.If(self.swap):
            m.d.sync += [bank.eq(~bank), self.older_count.eq(self.count)]
        return m

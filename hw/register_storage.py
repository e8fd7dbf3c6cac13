"""What the register bank's parts share: its map, a signal for each stored field, where registers lie."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Signal, Value
from amaranth.lib import data, wiring

from .axi_lite import AxiLiteSlave
from .config import bits_for
from .register_map import WORD_BITS, WORD_BYTES, Access, register_map

SEGMENTS = ("SEGMENT_BASE", "SEGMENT_STRIDE", "SEGMENT_BEATS")
"""The words of a segment, in the order of their addresses."""
WINDOWS = ("TABLE_DATA", "WEIGHT_DATA", *SEGMENTS)
"""Registers behind which tables lie."""
SPECIAL = ("COMMAND", "COUNTER_CONTROL", "IRQ_STATUS", *WINDOWS, "COUNTER", "TOP_K")
"""Registers that are more than storage."""


class RegisterStorage(wiring.Component):
    """Shared by the sides of `RegisterBank`, which read and write these signals.

    Latency: none of its own.
    """

    def _create_storage(self) -> None:
        """Create a signal for each stored field, and those by which the bank's sides tell each other."""
        self._axi = AxiLiteSlave()
        self._map = {register.name: register for register in register_map(self.config)}
        self._stored = {
            field.name: Signal(field.maximum.bit_length(), init=field.reset, name=field.name)
            for register in self._map.values()
            for field in register.fields
            if register.name not in SPECIAL and field.access is Access.READ_WRITE
        }
        self._irq = Signal(len(self._map["IRQ_STATUS"].fields))
        self._top_k = Array(
            Signal.like(self.topk_value, init=self.config.max_top_k, name=f"top_k_{layer}")
            for layer in range(self.config.max_layers)
        )
        self._failed = Signal(data.StructLayout({"layer": 16, "expert": 16}))
        self._mask = Signal(WORD_BITS)
        self._new = Signal(WORD_BITS)
        self._table_ready = Signal()
        self._table_read = Signal()
        self._table_write = Signal()
        self._table_answer = Signal()
        self._table_busy = Signal()
        self._weights_written = Signal()
        self._weights_read = Signal()
        self._segment_read = Signal()
        self._takes: dict[str, list[Signal]] = {}

    def _take(self, m: Module, name: str) -> None:
        """Say that register `name` takes the word that is being written; one that none takes is an error."""
        takes = self._takes.setdefault(name, [])
        takes.append(Signal(name=f"takes_{name.lower()}_{len(takes)}"))
        m.d.comb += takes[-1].eq(1)

    def _word(self, name: str) -> int:
        return self._map[name].offset // WORD_BYTES

    def _element(self, address: Value, name: str) -> tuple[Value, Value]:
        """Return whether a word address lies in array `name`, and the index of its element."""
        register = self._map[name]
        first, last = self._word(name), self._word(name) + register.count * register.words
        index = ((address - first) >> (register.words - 1))[: bits_for(register.count)]
        return (address >= first) & (address < last), Value.cast(index)

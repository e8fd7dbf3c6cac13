"""The register bank's read side: selects a word, then answers."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value

from .register_map import WORD_BITS, Access, Register
from .register_segments import SegmentRegisters
from .register_storage import WINDOWS
from .register_tables import TableRegisters
from .register_words import compose


class RegisterReads(TableRegisters, SegmentRegisters):
    """Answers reads; latencies as `RegisterBank` states."""

    def _elaborate_read(self, m: Module) -> None:
        """Select and register a word, then answer; the counter file and the tables answer in the meantime."""
        read = self._axi.read
        word = Signal(WORD_BITS)
        error = Signal()
        table = Signal()
        in_counters, counter = self._element(read.address, "COUNTER")
        m.d.comb += self.counters.index.eq(counter)
        with m.FSM():
            with m.State("SELECT"), m.If(read.valid):
                found = self._select(m, word)
                m.d.sync += [error.eq(~(found | in_counters)), table.eq(0)]
                m.next = "ANSWER"
                self._select_table(m, error, table)
                if self.config.segments > 1:
                    self._select_segment(m, error)
            if self.config.has_weights:
                self._read_weights(m, word)
            if self.config.segments > 1:
                self._read_segment(m, word)
            with m.State("TABLE"):
                m.d.comb += self._table_busy.eq(1)
                m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [
                    read.done.eq(1),
                    read.error.eq(error),
                    read.data.eq(Mux(in_counters, self.counters.value.word_select(read.address[0], WORD_BITS), word)),
                    self._table_busy.eq(table),
                    self._table_answer.eq(table),
                ]
                for index, port in enumerate(self.tables):
                    with m.If(table & (self._stored["table_select"] == index)):
                        m.d.comb += read.data.eq(self._table_word(port))
                m.next = "SELECT"

    def _select(self, m: Module, word: Signal) -> Value:
        """Register the word at the read address, for all registers but counters and tables; return if there is one."""
        address = self._axi.read.address
        selected, found = Signal(WORD_BITS), Signal()
        with m.Switch(address):
            for register in self._map.values():
                if register.name in (*WINDOWS, "COUNTER", "TOP_K"):
                    continue
                value = compose(register.fields, self._sources(register))
                for index in range(register.words):
                    with m.Case(self._word(register.name) + index):
                        m.d.comb += [selected.eq(value[index * WORD_BITS :]), found.eq(1)]
        inside, layer = self._element(address, "TOP_K")
        m.d.sync += word.eq(selected | Mux(inside, self._top_k[layer], 0))
        return found | inside

    def _sources(self, register: Register) -> dict[str, Value]:
        """Return what each field of a register reads as."""
        if register.name == "IRQ_STATUS":
            return {field.name: Value.cast(self._irq[field.lsb]) for field in register.fields}
        told: dict[str, Any] = {name: self.state[name] for name in self.state.shape().members}
        told |= {
            "command_busy": self.command.valid,
            "failed_layer": self._failed.layer,
            "failed_expert": self._failed.expert,
        }
        values: dict[str, Value] = {}
        for field in register.fields:
            if field.access is Access.PULSE:
                values[field.name] = Const(0, field.width)
            elif field.access is Access.READ_WRITE:
                values[field.name] = self._stored[field.name]
            else:
                values[field.name] = told.get(field.name, Const(field.reset, field.width))
        return values

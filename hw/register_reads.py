"""The register bank's read side: selects a word, picks it up, then answers."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from .register_map import WORD_BITS, Access, Register
from .register_segments import SegmentRegisters
from .register_storage import WINDOWS
from .register_tables import TableRegisters
from .register_words import compose


class RegisterReads(TableRegisters, SegmentRegisters):
    """Answers reads; latencies as `RegisterBank` states."""

    def _elaborate_read(self, m: Module) -> None:
        """Select a word, register it, then answer; the counter file and the tables answer in the meantime."""
        read = self._axi.read
        word = Signal(WORD_BITS)
        error = Signal()
        table = Signal()
        in_counters, counter = self._element(read.address, "COUNTER")
        m.d.comb += self.counters.index.eq(counter)
        with m.FSM():
            with m.State("SELECT"), m.If(read.valid):
                selected, found = self._select(m)
                m.d.sync += [error.eq(~(found | in_counters)), table.eq(0)]
                m.next = "PICK"
                self._select_table(m, error, table)
                if self.config.segments > 1:
                    self._select_segment(m, error)
            with m.State("PICK"):
                m.d.sync += word.eq(selected)
                m.next = "ANSWER"
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

    def _select(self, m: Module) -> tuple[Value, Value]:
        """Register which word the read address names, of all registers but counters and tables.

        Return that word, from the next cycle on, and whether there is one: an address has more loads than any other
        net here, and ends in a flip-flop for each word.
        """
        address = self._axi.read.address
        words: dict[int, Value] = {}
        for register in self._map.values():
            if register.name not in (*WINDOWS, "COUNTER", "TOP_K"):
                value = compose(register.fields, self._sources(register))
                for index in range(register.words):
                    words[self._word(register.name) + index] = value[index * WORD_BITS :][:WORD_BITS]
        named = Cat(address == place for place in words)
        in_top_k, layer = self._element(address, "TOP_K")
        of_words, of_top_k = Signal(len(words)), Signal()
        m.d.sync += [of_words.eq(named), of_top_k.eq(in_top_k)]
        selected = Mux(of_top_k, self._top_k[layer], 0)
        for chosen, value in zip(of_words, words.values(), strict=True):
            selected |= Mux(chosen, value, 0)
        return selected, named.any() | in_top_k

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

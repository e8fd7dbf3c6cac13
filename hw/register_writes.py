"""The register bank's write side: what a word is taken by, and what is rejected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal

from .commands import Command
from .register_map import WORD_BITS, Access, Register
from .register_segments import SegmentRegisters
from .register_storage import SEGMENTS, SPECIAL
from .register_tables import TableRegisters
from .register_words import byte_mask, compose, in_range


class RegisterWrites(TableRegisters, SegmentRegisters):
    """Takes written words; latencies as `RegisterBank` states."""

    def _elaborate_write(self, m: Module) -> None:
        write = self._axi.write
        special: dict[str, Callable[[Module], None]] = {
            "COMMAND": self._write_command,
            "COUNTER_CONTROL": self._write_counter_control,
            "IRQ_STATUS": self._write_irq_status,
            "TABLE_DATA": self._write_table,
            "WEIGHT_DATA": self._write_weights,
        }
        m.d.comb += [
            write.done.eq(1),
            self._mask.eq(byte_mask(write.strobe)),
            self._new.eq(write.data & self._mask),
        ]
        with m.If(write.valid), m.Switch(write.address):
            for register in self._map.values():
                if register.name in special:
                    with m.Case(self._word(register.name)):
                        special[register.name](m)
                elif register.name in SEGMENTS:
                    for word in range(register.words):
                        with m.Case(self._word(register.name) + word):
                            self._write_segment(m, register, word)
                elif register.name not in SPECIAL and register.fields[0].access is Access.READ_WRITE:
                    for word in range(register.words):
                        with m.Case(self._word(register.name) + word):
                            self._write_fields(m, register, self._stored, word)
        with m.If(write.valid):
            self._write_top_k(m)
        # Each register's check ends in a flip-flop of its own: all of them together are late in the cycle.
        taken = Signal(sum(map(len, self._takes.values())))
        m.d.sync += taken.eq(Cat(*self._takes.values()))
        m.d.comb += write.error.eq(~taken.any())

    def _write_fields(self, m: Module, register: Register, stored: Mapping[str, Any], word: int) -> None:
        """Take word number `word` of a register if no bit outside its fields is set and each is in range.

        Each register checks a word of its own: one that is selected by its address first is ready late in the cycle.
        """
        write, fields = self._axi.write, register.fields
        low = word * WORD_BITS
        new = self._new | (compose(fields, stored)[low : low + WORD_BITS] & ~self._mask)
        used, legal = 0, Const(1, 1)
        updates: list[tuple[Any, Any, Any]] = []  # bits of a field, whether they are written, and what
        for field in fields:
            start, end = max(field.lsb, low), min(field.lsb + field.width, low + WORD_BITS)
            if start >= end:
                continue
            first_byte, last_byte = (start - low) // 8, (end - low - 1) // 8
            used |= ((1 << (end - start)) - 1) << (start - low)
            target = stored[field.name][start - field.lsb : end - field.lsb]
            if first_byte == last_byte:  # it is written as a whole or not at all, and what it holds is in range
                part, written = write.data[start - low : end - low], write.strobe[first_byte]
                legal &= ~written | in_range(part, field)
                updates.append((target, written, part))
                continue
            part = new[start - low : end - low]
            if end - start == field.width:  # else the field spans both words, and has no limits
                legal &= in_range(part, field)
            updates.append((target, Const(1, 1), part))
        unused = ~used & ((1 << WORD_BITS) - 1)
        with m.If(legal & ~(self._new & unused).any()):
            self._take(m, register.name)
            for target, written, part in updates:
                with m.If(written):
                    m.d.sync += target.eq(part)

    def _write_top_k(self, m: Module) -> None:
        inside, layer = self._element(self._axi.write.address, "TOP_K")
        with m.If(inside):
            self._write_fields(m, self._map["TOP_K"], {"top_k": self._top_k[layer]}, 0)

    def _write_command(self, m: Module) -> None:
        command = self.command
        with m.Switch(self._new):
            with m.Case(0):
                self._take(m, "COMMAND")
            for kind in Command:
                with m.Case(1 << kind), m.If(~command.valid):
                    self._take(m, "COMMAND")
                    m.d.sync += [
                        command.valid.eq(1),
                        command.kind.eq(kind),
                        command.layer.eq(self._stored["key_layer"]),
                        command.expert.eq(self._stored["key_expert"]),
                    ]

    def _write_counter_control(self, m: Module) -> None:
        counters = self.counters
        with m.If(self._new < 4):
            self._take(m, "COUNTER_CONTROL")
            m.d.comb += [counters.snapshot.eq(self._new[0]), counters.clear.eq(self._new[1])]

    def _write_irq_status(self, m: Module) -> None:
        with m.If(~self._new[len(self._irq) :].any()):
            self._take(m, "IRQ_STATUS")

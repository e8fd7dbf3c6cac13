"""The register bank's window to the segment table: a segment's words, and its address that moves on."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal

from .register_map import WORD_BITS, Register
from .register_storage import RegisterStorage
from .register_words import in_range


class SegmentRegisters(RegisterStorage):
    """SEGMENT_BASE, SEGMENT_STRIDE and SEGMENT_BEATS; latencies as `RegisterBank` states."""

    def _elaborate_segments(self, m: Module) -> None:
        """Connect the table's port, whose words have the places of their registers; move SEGMENT_ADDRESS on."""
        port, write, read = self.segments, self._axi.write, self._axi.read
        index, layer = self._stored["segment_index"], self._stored["segment_layer"]
        m.d.comb += [
            port.layer.eq(layer),
            port.segment.eq(index),
            port.word.eq(Mux(self._segment_read, read.address, write.address)),
            port.data.eq(write.data),
            port.read.eq(self._segment_read),
        ]
        ends = port.word.all() & (port.write | port.done)
        with m.If(ends):
            m.d.sync += index.eq(index + 1)
            with m.If(index == self.config.segments - 1):
                m.d.sync += [index.eq(0), layer.eq(layer + 1)]
                with m.If(layer + 1 >= self._stored["n_layers"]):
                    m.d.sync += layer.eq(0)

    def _write_segment(self, m: Module, register: Register, word: int) -> None:
        """Hand a whole word to the table if it is legal, once no read of the table is under way."""
        write, field = self._axi.write, register.fields[0]
        low = word * WORD_BITS
        start, end = max(field.lsb, low), min(field.lsb + field.width, low + WORD_BITS)
        legal = write.strobe.all() & ~write.data[: start - low].any() & ~write.data[end - low :].any()
        if end - start == field.width:
            legal &= in_range(write.data[start - low : end - low], field)
        with m.If(legal):
            self._take(m, register.name)
            m.d.comb += [
                write.done.eq(~self._segment_read),
                self.segments.write.eq(~self._segment_read),
            ]

    def _select_segment(self, m: Module, error: Signal) -> None:
        """In the state that selects: go to where the table answers."""
        first, last = self._word("SEGMENT_BASE"), self._word("SEGMENT_BEATS")
        with m.If((self._axi.read.address >= first) & (self._axi.read.address <= last)):
            m.d.sync += error.eq(0)
            m.next = "SEGMENT"

    def _read_segment(self, m: Module, word: Signal) -> None:
        with m.State("SEGMENT"):
            m.d.comb += self._segment_read.eq(1)
            m.d.sync += word.eq(self.segments.read_data)
            with m.If(self.segments.done):
                m.next = "ANSWER"

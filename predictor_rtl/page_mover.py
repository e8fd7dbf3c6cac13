"""Page mover: writes a bank's page back to memory where it was changed, and loads another."""

from typing import TYPE_CHECKING, Any

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..hw.config import UnitConfig, bits_for
from ..hw.interfaces import PageBusSignature, page_control_layout
from ..hw.row_layout import paged_layout


def move_layout(config: UnitConfig) -> data.StructLayout:
    """Return an order: write back page `old_page`, which `bank` holds; with `load` fetch `page`."""
    layout = paged_layout(config)
    return data.StructLayout(
        {"load": 1, "bank": bits_for(layout.places), "page": layout.page_bits, "old_page": layout.page_bits}
    )


class PageMover(wiring.Component):
    """Moves a page between a bank and memory, a burst at a time; each error is repeated, then counted and passed over.

    Of the old page only groups that were changed are written (`burst_words` of the layout each). After the last
    retry of a write its words are lost; after that of a read the words that came with an error are 0, empty rows.

    Latency: with G groups and a burst a group, `done` comes 2 G + 2 cycles after `start` (G + 1 without `load`), and
    for each burst the cycles from its request to its `done`, both included. Throughput: one page at a time.

    Members
    -------
    control : In(page_control_layout)
    start : In, order : In(move_layout)
        Pulse, while not `busy`. The bank's rows must rest until `done`.
    busy, loading : Out
        A page is on its way; a load is not done yet.
    bank : Out
        The bank under way.
    done : Out
        Pulse, in the last cycle of `busy`: the bank holds the new page, or nothing without `load`.
    changed : In
        A bit for each group of the bank's page; constant until `written`.
    written : Out
        Pulse: all that was changed is in memory, or lost.
    read, word : Out, data : In
        Read word `word` of the bank's page; `data` holds it from the next cycle to the next `read`.
    fill, fill_data : Out
        Write `fill_data` as word `word` of the bank's page.
    bus : Out(PageBusSignature)
    error, retry, lost : Out
        Pulses: a burst ended with an error; it is repeated; it is not.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        layout = paged_layout(config)
        word_bits = bits_for(layout.words)
        bus_bits = config.bus_bytes * 8
        super().__init__(
            {
                "control": In(page_control_layout()),
                "start": In(1),
                "order": In(move_layout(config)),
                "busy": Out(1),
                "loading": Out(1),
                "bank": Out(bits_for(layout.places)),
                "done": Out(1),
                "changed": In(layout.groups),
                "written": Out(1),
                "read": Out(1),
                "word": Out(word_bits),
                "data": In(bus_bits),
                "fill": Out(1),
                "fill_data": Out(bus_bits),
                "bus": Out(PageBusSignature(config)),
                "error": Out(1),
                "retry": Out(1),
                "lost": Out(1),
            }
        )
        self._layout = layout
        self._order = Signal(move_layout(config))
        self._loads = Signal()
        self._first = Signal(word_bits + 1)
        """First word of the burst under way, or of the group that is looked at."""
        self._offset = Signal(range(layout.burst_words + 1))
        self._length = Signal(bits_for(layout.burst_words))
        """Words of the burst under way, less one."""
        self._tries = Signal(4)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        layout, bus, first = self._layout, self.bus, self._first
        m.d.comb += [
            self.bank.eq(self._order.bank),
            self.word.eq(first + self._offset),
            self.fill_data.eq(bus.read_data),
            bus.write.payload.eq(self.data),
            bus.request.payload.write.eq(~self._loads),
            bus.request.payload.page.eq(Mux(self._loads, self._order.page, self._order.old_page)),
            bus.request.payload.word.eq(first),
        ]
        over = first == layout.words
        with m.FSM() as fsm:
            m.d.comb += [self.busy.eq(~fsm.ongoing("IDLE")), self.loading.eq(self.busy & self._order.load)]
            with m.State("IDLE"):
                m.d.sync += [self._order.eq(self.order), self._loads.eq(0), first.eq(0), self._tries.eq(0)]
                with m.If(self.start):
                    m.next = "LOOK"
            with m.State("LOOK"):
                with m.If(over):
                    self._elaborate_over(m)
                with m.Elif(self._loads | self.changed.bit_select(first >> exact_log2(layout.burst_words), 1)):
                    m.next = "REQUEST"
                with m.Else():
                    m.d.sync += first.eq(first + layout.burst_words)
            with m.State("REQUEST"):
                m.d.comb += bus.request.valid.eq(1)
                m.d.sync += self._offset.eq(0)
                with m.If(bus.request.ready):
                    m.next = "MOVE"
            with m.State("MOVE"):
                self._elaborate_words(m)
                with m.If(bus.done):
                    self._elaborate_end(m)
                    m.next = "LOOK"
        self._elaborate_length(m)
        return m

    def _elaborate_length(self, m):
        """Cut at the group's end and at the longest burst; numbers are words less one."""
        length = self.bus.request.payload.length
        limit, group_bits = self.control.burst_beats, exact_log2(self._layout.burst_words)
        if group_bits:
            rest = ~self._first[:group_bits]
            m.d.comb += length.eq(Mux(limit == 0, 0, Mux(limit <= rest, limit - 1, rest)))
        with m.If(self.bus.request.valid):
            m.d.sync += self._length.eq(length)

    def _elaborate_over(self, m):
        """After writing comes loading, if anything is to be loaded."""
        with m.If(self._loads | ~self._order.load):
            m.d.comb += self.done.eq(1)
            m.next = "IDLE"
        m.d.comb += self.written.eq(~self._loads)
        m.d.sync += [self._loads.eq(1), self._first.eq(0)]

    def _elaborate_words(self, m):
        """Take words as they come, or offer the bank's: one is read while the one before is on offer."""
        bus = self.bus
        offered = bus.write
        with m.If(self._loads):
            m.d.comb += self.fill.eq(bus.read_valid)
        with m.Else():
            m.d.comb += self.read.eq((~offered.valid | offered.ready) & (self._offset <= self._length))
            with m.If(self.read):
                m.d.sync += offered.valid.eq(1)
            with m.Elif(offered.ready):
                m.d.sync += offered.valid.eq(0)
        with m.If(self.fill | self.read):
            m.d.sync += self._offset.eq(self._offset + 1)

    def _elaborate_end(self, m):
        """Go on behind the burst, or at its first word again."""
        again = self._tries < self.control.retries
        m.d.comb += [
            self.error.eq(self.bus.error),
            self.retry.eq(self.bus.error & again),
            self.lost.eq(self.bus.error & ~again),
        ]
        with m.If(self.retry):
            m.d.sync += self._tries.eq(self._tries + 1)
        with m.Else():
            m.d.sync += [self._tries.eq(0), self._first.eq(self._first + self._length + 1)]

"""Paged correlation table: a window of layers' tables on chip, the rest in memory."""

from typing import TYPE_CHECKING, Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from ..hw.config import UnitConfig, bits_for
from ..hw.interfaces import PageBusSignature, TableSignature, page_control_layout, page_pulses_layout
from ..hw.table_layout import TableLayout
from .cct import row_layout
from .page_bank import PageBank
from .page_mover import PageMover
from .page_window import PageWindow


class PagedCorrelationTable(wiring.Component):
    """Acts as `CorrelationTable` on the layers whose pages are on chip, and brings and takes away pages.

    A bank of synchronous memory for each page, so that a page comes or goes while the engine works on others. What
    the engine or the table port writes marks its group as changed, and a bank is given up only when its changed
    groups are in memory. Which pages are on chip: `PageWindow`; how they move: `PageMover`.

    Latency: as `CorrelationTable`, `row` 3 cycles after its address, a table read 2; `table.ready` and `event_ready`
    wait for pages besides. Throughput: one read and one write a cycle beside one bus word of a page.

    Members
    -------
    unlocked, table, read_layer, read_expert, row, write, write_layer, write_expert, write_row
        As in `CorrelationTable`; the engine's layers must be on chip, as they are after `event_ready`.
    control : In(page_control_layout), n_layers : In
    event_waits, event_layer, event_follows, previous_layer : In, event_ready : Out
        See `PageWindow`; `unlocked` says that no event is open.
    pages : Out(PageBusSignature)
    pulses : Out(page_pulses_layout)
        What there is to count.
    busy : Out
        A page is on its way, or will be by itself.
    """

    latency = 3

    def __init__(self, *, config: UnitConfig):
        self._config = config
        self._layout = layout = TableLayout(config)
        self._banks = [PageBank(config=config) for _ in range(config.table_window)]
        super().__init__(
            {
                "unlocked": In(1),
                "table": In(TableSignature(config)),
                "read_layer": In(config.layer_bits),
                "read_expert": In(config.expert_bits),
                "row": Out(row_layout(config)),
                "write": In(1),
                "write_layer": In(config.layer_bits),
                "write_expert": In(config.expert_bits),
                "write_row": In(row_layout(config)),
                "control": In(page_control_layout()),
                "n_layers": In(bits_for(config.max_layers + 1)),
                "event_waits": In(1),
                "event_layer": In(config.layer_bits),
                "event_follows": In(1),
                "previous_layer": In(config.layer_bits),
                "event_ready": Out(1),
                "pages": Out(PageBusSignature(config)),
                "pulses": Out(page_pulses_layout(config)),
                "busy": Out(1),
            }
        )
        self._window = PageWindow(config=config)
        self._mover = PageMover(config=config)
        self.changed = [Signal(layout.groups, name=f"changed_{bank}") for bank in range(config.table_window)]
        """A bit for each group of a bank's page: memory does not have it yet."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    @property
    def held(self) -> Any:
        """What each bank holds."""
        return self._window.held

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        m.submodules.window = self._window
        m.submodules.mover = self._mover
        self._elaborate_window(m)
        for index, bank in enumerate(self._banks):
            m.submodules[f"bank_{index}"] = bank
        self._elaborate_moves(m)
        self._elaborate_reads(m)
        self._elaborate_writes(m)
        self._elaborate_answer(m)
        return m

    # Pages

    def _elaborate_window(self, m):
        window, mover, table, pulses = self._window, self._mover, self.table, self.pulses
        for name in ("control", "n_layers", "event_waits", "event_layer", "event_follows", "previous_layer"):
            m.d.comb += getattr(window, name).eq(getattr(self, name))
        m.d.comb += [
            window.idle.eq(self.unlocked),
            window.access.eq(table.request),
            window.access_layer.eq(table.layer),
            window.taken.eq(mover.start),
            window.loading.eq(mover.loading),
            window.loaded.eq(mover.done & mover.loading),
            self.event_ready.eq(window.event_ready),
            self.busy.eq(window.busy | mover.busy),
            pulses.table_loads.eq(window.loaded),
            pulses.table_ahead.eq(window.ahead),
            pulses.table_late.eq(window.late),
            pulses.table_wait.eq(self.unlocked & self.event_waits & ~self.event_ready),
            pulses.table_errors.eq(mover.error),
            pulses.table_retries.eq(mover.retry),
            pulses.table_lost.eq(mover.lost),
        ]

    def _elaborate_moves(self, m):
        """Hand each choice to the mover, and note what the engine and the table port change."""
        window, mover, choice = self._window, self._mover, self._window.choice
        connect(m, mover.bus, flipped(self.pages))
        m.d.comb += [
            mover.control.eq(self.control),
            mover.start.eq(choice.valid & ~mover.busy),
            mover.order.load.eq(choice.load),
            mover.order.bank.eq(choice.bank),
            mover.order.page.eq(choice.layer),
        ]
        for index, (bank, changed) in enumerate(zip(self._banks, self.changed, strict=True)):
            moving = mover.busy & (mover.bank == index)
            m.d.comb += [
                bank.moving.eq(moving),
                bank.word_index.eq(mover.word),
                bank.read_word.eq(mover.read),
                bank.fill.eq(mover.fill),
                bank.fill_word.eq(mover.fill_data),
            ]
            with m.If(choice.bank == index):
                m.d.comb += mover.order.old_page.eq(window.held[index].layer)
            with m.If(mover.bank == index):
                m.d.comb += [mover.changed.eq(changed), mover.data.eq(bank.word)]
            with m.If(moving & mover.written):
                m.d.sync += changed.eq(0)

    def _holds(self, bank, layer):
        page = self.held[bank]
        return page.valid & (page.layer == layer)

    # Rows

    def _elaborate_reads(self, m):
        """Give every bank the row that is asked for, and choose the layer's bank; `row` takes what it answers."""
        table, row = self.table, Signal(self._config.expert_bits)
        banks = range(len(self._banks))
        engine_row, engine_banks = Signal.like(row), Signal(len(banks))
        m.d.sync += [
            engine_row.eq(self.read_expert),
            engine_banks.eq(Cat(self._holds(bank, self.read_layer) for bank in banks)),
        ]
        self._asked = asked = Signal()
        asked_banks = Signal.like(engine_banks)
        table_banks = Cat(self._holds(bank, table.layer) for bank in banks)
        m.d.comb += [
            row.eq(Mux(self.unlocked, table.row, engine_row)),
            table.ready.eq(self.unlocked & self.control.enable & table_banks.any()),
        ]
        m.d.sync += [
            asked.eq((table.read & table.ready) | ~self.unlocked),
            asked_banks.eq(Mux(self.unlocked, table_banks, engine_banks)),
        ]
        for index, bank in enumerate(self._banks):
            m.d.comb += bank.read_row.eq(row)
            with m.If(asked & asked_banks[index]):
                m.d.sync += self.row.eq(bank.row)

    def _elaborate_writes(self, m):
        """Write to the layer's bank, and note the group."""
        table, layout = self.table, self._layout
        row, layer = Signal(self._config.expert_bits), Signal(self._config.layer_bits)
        mask = Signal(self._config.max_top_k)
        m.d.comb += [
            row.eq(Mux(self.unlocked, table.row, self.write_expert)),
            layer.eq(Mux(self.unlocked, table.layer, self.write_layer)),
            mask.eq(Mux(self.unlocked, (table.write & table.ready) << table.entry, self.write.replicate(len(mask)))),
        ]
        group = row >> exact_log2(layout.rows // layout.groups)
        for index, bank in enumerate(self._banks):
            written = mask & self._holds(index, layer).replicate(len(mask))
            m.d.comb += [bank.write_row.eq(row), bank.write.eq(written)]
            for entry in range(len(mask)):
                given = self.write_row[entry]
                m.d.comb += [
                    bank.entries[entry].expert.eq(Mux(self.unlocked, table.expert, given.expert)),
                    bank.entries[entry].confidence.eq(Mux(self.unlocked, table.confidence, given.confidence)),
                ]
            with m.If(written.any()):
                m.d.sync += self.changed[index].bit_select(group, 1).eq(1)

    def _elaborate_answer(self, m):
        """Answer the table port from the row that it asked for."""
        table = self.table
        entry, s1_entry = Signal.like(table.entry), Signal.like(table.entry)
        m.d.sync += entry.eq(table.entry)
        with m.If(self._asked):
            m.d.sync += s1_entry.eq(entry)
        m.d.comb += [
            table.read_expert.eq(self.row[s1_entry].expert),
            table.read_confidence.eq(self.row[s1_entry].confidence),
        ]

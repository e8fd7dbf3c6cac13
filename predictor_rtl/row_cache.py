"""Row cache: the weight tables of a unit that keeps them in memory, and on chip what was used of them last."""

from typing import TYPE_CHECKING, Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from ..hw.config import UnitConfig, bits_for
from ..hw.interfaces import PageBusSignature, page_control_layout, page_pulses_layout
from .page_mover import PageMover
from .row_store import RowStore, row_set_layout
from .row_tags import RowTags
from .weight_layout import place_bits_of, rows_of
from .weight_rows import row_name_layout, row_place_layout
from .weight_table import word_members


class RowCache(wiring.Component):
    """Acts as `WeightTable` on the rows that a run of the engine needs, having brought them on chip before.

    A set for each layer and source, `weight_ways` rows in each; `RowTags` says which rows they are, `RowStore` has
    them, `PageMover` moves them. The rows of a run are looked up in the order of the list; a missing one takes the
    place of one that the run does not need, which is written back first if it was taught. Where the rows of a source
    are more than its ways, the run goes in parts: the engine works on what is there, then the next are looked up.

    Latency: a run over r rows that are on chip takes 2 r + 2 cycles more than the engine, and the engine starts 2 r + 1
    after `start`; a further part adds 2, a missing row the mover's cycles. A port access finds its row in 3 cycles,
    then as `WeightTable`. Once quiesced the cache is swept, `weight_ways` + 1 cycles a set and the mover's for each row
    that was changed. Throughput: one run, access or sweep at a time.

    Members
    -------
    unlocked, port, port_busy, read_address, word, write, write_address, write_word
        As in `WeightTable`, a row's way standing in for its expert; `port_busy` during a sweep too. The register bank
        makes no access while tables are not enabled.
    control : In(page_control_layout)
    start : In, first, end : In, layer : In, learn : In
        As in `WeightEngine`; all but `start` stay until `busy` ends. With `learn` the rows are going to be changed.
    waits : In
        An event waits for the run.
    busy : Out
    list_index : Out, row : In(row_name_layout)
        Synchronous read of the list.
    engine_busy : In, engine_index : In, place : Out(row_place_layout)
        The engine's read of the list, which gets places.
    part : Out, part_first, part_end : Out
        Pulse: the engine is to run over these rows.
    is_first, is_last : Out
        The part is the run's first, last.
    pages : Out(PageBusSignature)
    pulses : Out(page_pulses_layout)
        What there is to count.
    swept : Out
        Pulse: nothing is on chip any more.
    sweeps : Out
        Rows are being given up, or will be by themselves.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        count_bits, index_bits = bits_for(rows_of(config) + 1), bits_for(rows_of(config))
        super().__init__(
            word_members(config)
            | {
                "control": In(page_control_layout()),
                "start": In(1),
                "first": In(count_bits),
                "end": In(count_bits),
                "layer": In(config.layer_bits),
                "learn": In(1),
                "waits": In(1),
                "busy": Out(1),
                "list_index": Out(index_bits),
                "row": In(row_name_layout(config)),
                "engine_busy": In(1),
                "engine_index": In(index_bits),
                "place": Out(row_place_layout(config)),
                "part": Out(1),
                "part_first": Out(count_bits),
                "part_end": Out(count_bits),
                "is_first": Out(1),
                "is_last": Out(1),
                "pages": Out(PageBusSignature(config)),
                "pulses": Out(page_pulses_layout(config)),
                "swept": Out(1),
                "sweeps": Out(1),
            }
        )
        self._store = RowStore(config=config)
        self._tags = RowTags(config=config)
        self._mover = PageMover(config=config)
        self._index = Signal(count_bits)
        self._accesses = Signal()
        self._row_set: Any = Signal(row_set_layout(config))
        self._expert = Signal(config.expert_bits)
        self._found = Signal()
        self._swept_set: Any = Signal(row_set_layout(config))
        self._swept_way = Signal(place_bits_of(config))
        self._holds = Signal()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    @staticmethod
    def lead(rows: int) -> int:
        """Return the cycles from `start` to the engine's start, for a run over rows that are all on chip."""
        return 2 * rows + 1

    @property
    def contents(self) -> Any:
        """The memory of the rows on chip."""
        return self._store.contents

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        m.submodules.store = self._store
        m.submodules.tags = self._tags
        m.submodules.mover = self._mover
        self._elaborate_words(m)
        self._elaborate_moves(m)
        self._elaborate_places(m)
        self._elaborate_control(m)
        self._elaborate_pulses(m)
        return m

    def _elaborate_words(self, m):
        """Hand words and port on; the port's way is the one that its row was found in."""
        store, port = self._store, self._store.port
        for name in ("read_address", "write", "write_address", "write_word"):
            m.d.comb += getattr(store, name).eq(getattr(self, name))
        connect(m, flipped(self.port), port)
        m.d.comb += self.word.eq(store.word)

    def _elaborate_moves(self, m):
        """Connect the mover with the way that is looked at, and with memory."""
        store, tags, mover = self._store, self._tags, self._mover
        connect(m, mover.bus, flipped(self.pages))
        place = Cat(self._row_set.source, self._row_set.layer)
        m.d.comb += [
            mover.control.eq(self.control),
            mover.order.load.eq(~tags.forced),
            mover.order.bank.eq(tags.way),
            mover.order.page.eq(Cat(self._expert, place)),
            mover.order.old_page.eq(Cat(tags.tag.expert, place)),
            mover.changed.eq((tags.tag.valid & tags.tag.changed).replicate(len(mover.changed))),
            mover.data.eq(store.bus_word),
            store.moving.eq(mover.busy),
            store.row_set.eq(self._row_set),
            store.way.eq(tags.way),
            store.read_bus.eq(mover.read),
            store.bus_index.eq(mover.word),
            store.fill.eq(mover.fill),
            store.fill_word.eq(mover.fill_data),
        ]

    def _elaborate_places(self, m):
        """Note each row's way for the engine, and give it to it in the row's place."""
        m.submodules.ways = ways = Memory(shape=len(self.place.expert), depth=rows_of(self._config), init=[])
        write: Any = ways.write_port()
        read: Any = ways.read_port()
        port_way = Signal.like(self._tags.way)
        m.d.comb += [
            write.addr.eq(self._index),
            write.data.eq(self._tags.way),
            write.en.eq(self._found & ~self._accesses),
            read.addr.eq(self.engine_index),
            self.place.expert.eq(read.data),
            self.place.source.eq(self.row.source),
            self._store.port_way.eq(port_way),
        ]
        with m.If(self._found):
            m.d.sync += port_way.eq(self._tags.way)

    def _elaborate_control(self, m):
        """Make rows ready and let the engine work on them, or serve the port, or sweep."""
        asks = self.unlocked & self.port.request & ~self._store.port_busy
        self._elaborate_row(m)
        with m.FSM() as fsm:
            m.d.comb += [
                self.busy.eq(~fsm.ongoing("IDLE") & ~self._accesses),
                self.port_busy.eq(self._accesses | fsm.ongoing("SWEEP") | self._store.port_busy),
                self.sweeps.eq((self.control.quiesced & self._holds) | fsm.ongoing("SWEEP")),
            ]
            with m.State("IDLE"):
                m.d.comb += [self.list_index.eq(self.first), self._tags.release.eq(1)]
                m.d.sync += [self._index.eq(self.first), self.part_first.eq(self.first), self.is_first.eq(1)]
                with m.If(self.start):
                    m.next = "LOOK"
                    with m.If(self.first == self.end):
                        m.next = "RUN"
                with m.Elif(asks):
                    m.d.sync += self._accesses.eq(1)
                    m.next = "LOOK"
                with m.Elif(self.unlocked & self.sweeps):
                    m.next = "SWEEP"
            self._elaborate_look(m)
            self._elaborate_run(m)
            self._elaborate_sweep(m)
        m.d.comb += [self.part_end.eq(self._index), self.is_last.eq(self._index == self.end)]

    def _elaborate_row(self, m):
        """Say which row is looked for: the list's next one, or the port's."""
        tags, port = self._tags, self.port
        m.d.comb += [
            self.list_index.eq(self._index),
            self._row_set.layer.eq(Mux(self._accesses, port.layer, self.layer)),
            self._row_set.source.eq(Mux(self._accesses, port.source, self.row.source)),
            self._expert.eq(Mux(self._accesses, port.row, self.row.expert)),
            tags.row_set.eq(self._row_set),
            tags.expert.eq(self._expert),
            tags.stored.valid.eq(1),
            tags.stored.expert.eq(self._expert),
            tags.use.eq(self._found),
        ]

    def _elaborate_look(self, m):
        """Look up rows one by one and fetch what is missing; a set without a way left ends the part."""
        tags, mover = self._tags, self._mover
        changes = Mux(self._accesses, self.port.write, self.learn)
        with m.State("LOOK"):
            m.next = "COMPARE"
        with m.State("COMPARE"):
            m.d.comb += tags.stored.changed.eq(tags.tag.changed | changes)
            with m.If(tags.found):
                m.d.comb += [self._found.eq(1), tags.store.eq(changes)]
                self._go_on(m)
            with m.Elif(tags.full):
                m.next = "RUN"
            with m.Else():
                m.d.comb += mover.start.eq(1)
                m.next = "FETCH"
        with m.State("FETCH"):
            m.d.comb += tags.stored.changed.eq(changes)
            with m.If(mover.done):
                m.d.comb += [self._found.eq(1), tags.store.eq(1)]
                m.d.sync += self._holds.eq(1)
                self._go_on(m)

    def _elaborate_run(self, m):
        """Let the engine run over the rows that are ready, or the port use its row."""
        with m.State("RUN"):
            m.d.comb += self.part.eq(1)
            m.next = "RUNNING"
        with m.State("RUNNING"):
            m.d.comb += [self.list_index.eq(self.engine_index), self._tags.release.eq(1)]
            with m.If(~self.engine_busy):
                m.d.comb += self.list_index.eq(self._index)
                m.d.sync += [self.part_first.eq(self._index), self.is_first.eq(0)]
                m.next = "LOOK"
                with m.If(self.is_last):
                    m.next = "IDLE"
        with m.State("ACCESS"):
            m.d.comb += self._store.unlocked.eq(1)
            with m.If(self._store.port.done):
                m.d.sync += self._accesses.eq(0)
                m.next = "IDLE"

    def _go_on(self, m):
        """Look the next row up, or let the engine or the port have what was found."""
        following = self._index + 1
        m.d.sync += self._index.eq(following)
        m.d.comb += self.list_index.eq(following)
        m.next = "LOOK"
        with m.If(following == self.end):
            m.next = "RUN"
        with m.If(self._accesses):
            m.next = "ACCESS"

    def _elaborate_sweep(self, m):
        """Go through all sets, way by way, and give up what is there; memory gets what was changed."""
        tags, mover = self._tags, self._mover
        row_set, way = self._swept_set, self._swept_way
        looked = Signal()
        m.d.comb += tags.forced_way.eq(way)
        with m.State("SWEEP"):
            m.d.comb += [self._row_set.eq(row_set), tags.forced.eq(1)]
            m.d.sync += looked.eq(1)
            with m.If(looked):
                m.d.comb += mover.start.eq(tags.tag.valid & tags.tag.changed & ~mover.busy)
                with m.If(~mover.start & (~mover.busy | mover.done)):
                    self._sweep_on(m, row_set, way, looked)

    def _sweep_on(self, m, row_set, way, looked):
        """Take the next way, or the next set, or end."""
        last_source = len(self._config.weight_sources) - 1
        m.d.sync += way.eq(way + 1)
        with m.If(way == self._config.weight_ways - 1):
            m.d.comb += self._tags.clear.eq(1)
            m.d.sync += [looked.eq(0), way.eq(0), row_set.layer.eq(row_set.layer + 1)]
            with m.If(row_set.layer == (1 << self._config.layer_bits) - 1):
                m.d.sync += row_set.source.eq(row_set.source + 1)
                with m.If(row_set.source == last_source):
                    m.d.comb += self.swept.eq(1)
                    m.d.sync += [self._holds.eq(0), row_set.source.eq(0)]
                    m.next = "IDLE"

    def _elaborate_pulses(self, m):
        """Tell what there is to count; a row is late if an event or the port has waited for it."""
        mover, pulses = self._mover, self.pulses
        late, waited, loaded = Signal(), Signal(), Signal()
        m.d.comb += [
            waited.eq(mover.loading & (self.waits | self._accesses)),
            loaded.eq(mover.loading & mover.done),
            pulses.table_loads.eq(loaded),
            pulses.table_late.eq(loaded & (late | waited)),
            pulses.table_ahead.eq(loaded & ~(late | waited)),
            pulses.table_wait.eq(mover.loading & self.waits),
            pulses.table_hits.eq(self._found & ~mover.done & ~self._accesses),
            pulses.table_errors.eq(mover.error),
            pulses.table_retries.eq(mover.retry),
            pulses.table_lost.eq(mover.lost),
        ]
        with m.If(mover.start):
            m.d.sync += late.eq(0)
        with m.Elif(waited):
            m.d.sync += late.eq(1)

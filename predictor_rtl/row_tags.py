"""Row tags: which rows of each layer and source are on chip, and which one gives way."""

from typing import TYPE_CHECKING, Any

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..hw.config import UnitConfig
from .row_store import row_set_layout
from .weight_layout import place_bits_of


def tag_layout(config: UnitConfig) -> data.StructLayout:
    """Return what a way holds: the row of `expert`, if `valid`; memory has not got it yet if `changed`."""
    return data.StructLayout({"valid": 1, "changed": 1, "expert": config.expert_bits})


class RowTags(wiring.Component):
    """Keeps the tags of the ways of every set, one word of a synchronous memory for each set.

    A row that is not there takes the way that was filled longest ago and that the run under way has not used. Nothing
    is on chip where the memory holds its zeros of reset.

    Latency: everything that follows `row_set` is valid `latency` = 1 cycle after it, and sees what was stored in
    earlier cycles. Throughput: one set a cycle.

    Members
    -------
    row_set : In(row_set_layout), expert : In
        The set, to be held for a second cycle with the expert that is looked for.
    found : Out, way : Out, tag : Out(tag_layout)
        The row is on chip; its way, or the one that it may take, and what that holds.
    full : Out
        Neither is the row there nor has the run left it a way.
    forced : In, forced_way : In
        `way` is to be this one.
    clear : In
        Pulse: the set holds nothing from now on.
    store : In, stored : In(tag_layout)
        Pulse: what `way` holds from now on. If that is another row it becomes the youngest.
    use : In
        Pulse: the run needs `way`. A run's rows of a set follow each other.
    release : In
        Pulse: a run begins, no way is in use.
    """

    latency = 1

    def __init__(self, *, config: UnitConfig):
        self._config = config
        tag, way_bits = tag_layout(config), place_bits_of(config)
        super().__init__(
            {
                "row_set": In(row_set_layout(config)),
                "expert": In(config.expert_bits),
                "found": Out(1),
                "way": Out(way_bits),
                "tag": Out(tag),
                "full": Out(1),
                "forced": In(1),
                "forced_way": In(way_bits),
                "clear": In(1),
                "store": In(1),
                "stored": In(tag),
                "use": In(1),
                "release": In(1),
            }
        )
        self._word: Any = data.StructLayout({"oldest": way_bits, "tags": data.ArrayLayout(tag, config.weight_ways)})

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        sets = len(self._config.weight_sources) << self._config.layer_bits
        m.submodules.words = words = Memory(shape=self._word, depth=sets, init=[])
        read: Any = words.read_port()
        write: Any = words.write_port()
        ways = range(self._config.weight_ways)
        used = self._elaborate_use(m)
        held = read.data
        found = Cat(held.tags[way].valid & (held.tags[way].expert == self.expert) for way in ways)
        m.d.comb += [
            read.addr.eq(self.row_set),
            write.addr.eq(self.row_set),
            write.en.eq(self.store | self.clear),
            write.data.eq(held),
            self.found.eq(found.any()),
            self.full.eq(~found.any() & used.all()),
            self.tag.eq(Array(held.tags[way].as_value() for way in ways)[self.way]),
        ]
        self._choose(m, found, used, held.oldest)
        with m.Switch(self.way):
            for way in ways:
                with m.Case(way):
                    m.d.comb += write.data.tags[way].eq(self.stored)
        with m.If(~self.found):
            m.d.comb += write.data.oldest.eq(self.way + 1)
        with m.If(self.clear):
            m.d.comb += write.data.eq(0)
        return m

    def _elaborate_use(self, m):
        """Note the ways in use of one set, that of the row last used."""
        marks = Signal(self._config.weight_ways)
        marked: Any = Signal(row_set_layout(self._config))
        used = Signal.like(marks)
        m.d.comb += used.eq(Mux(marked.as_value() == self.row_set.as_value(), marks, 0))
        with m.If(self.use):
            m.d.sync += [marks.eq(used | (1 << self.way)), marked.eq(self.row_set)]
        with m.If(self.release):
            m.d.sync += marks.eq(0)
        return used

    def _choose(self, m, found, used, oldest):
        """Take the way that is forced, that has the row, or the first one not in use from the oldest on."""
        ways = self._config.weight_ways
        for step in reversed(range(ways)):
            candidate = (oldest + step)[: len(self.way)]
            with m.If(~used.bit_select(candidate, 1)):
                m.d.comb += self.way.eq(candidate)
        for way in range(ways):
            with m.If(found[way]):
                m.d.comb += self.way.eq(way)
        with m.If(self.forced):
            m.d.comb += self.way.eq(self.forced_way)

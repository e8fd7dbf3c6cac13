"""Context of the weight predictor: the latest set of every layer, and the walk over the sources that read it."""

from typing import TYPE_CHECKING, Any

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..hw.config import UnitConfig, bits_for
from .weight_layout import source_bits_of
from .weight_rows import row_name_layout


class WeightContext(wiring.Component):
    """Stores the members of each layer's latest event, and lists the rows of all sources but the event's own.

    The walk goes back from the target layer on the ring, one layer a step; where a source lies it reads how many
    members there are and then each of them. Source (0, 1) is the target layer itself.

    Latency: `busy` lasts `latency(counts)` cycles from the cycle after `start`: one for each distance up to the
    farthest, one more for each source, one for each member of a source, and one to end. Throughput: one row a cycle.

    Members
    -------
    clear : In
        Pulse: every layer becomes void; one that is stored in the same cycle is not.
    store : In, first : In, add : In, layer : In, expert : In
        Pulse: a beat of the event of `layer`, its first with `first`; with `add`, `expert` is a member.
    start : In, target : In, current : In
        Pulse: list the rows for layer `target`; a source of layer `current` is void. Not while `busy`; no `store`
        meanwhile. Both stay.
    n_layers : In
        Layers of the ring.
    row_valid : Out, row : Out
        A row, each one once.
    busy : Out
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        self._sources = {
            layers_back: index
            for index, (layers_back, tokens_back) in enumerate(config.weight_sources)
            if (layers_back, tokens_back) != config.weight_rules.own
        }
        self._farthest = max(self._sources, default=0)
        super().__init__(
            {
                "clear": In(1),
                "store": In(1),
                "first": In(1),
                "add": In(1),
                "layer": In(config.layer_bits),
                "expert": In(config.expert_bits),
                "start": In(1),
                "target": In(config.layer_bits),
                "current": In(config.layer_bits),
                "n_layers": In(bits_for(config.max_layers + 1)),
                "row_valid": Out(1),
                "row": Out(row_name_layout(config)),
                "busy": Out(1),
            }
        )
        self._count = Signal(bits_for(config.max_experts + 1))
        self._read_layer = Signal(config.layer_bits)
        self._read_index = Signal(config.expert_bits)
        self._read_count = Signal.like(self._count)
        self._read_expert = Signal(config.expert_bits)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def latency(self, counts: list[int]) -> int:
        """Return the cycles of a walk that finds sources of `counts` members, void ones included as 0."""
        return self._farthest + 1 + len(self._sources) + sum(counts) + 1

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        self._elaborate_memory(m)
        self._elaborate_walk(m)
        return m

    def _elaborate_memory(self, m):
        """Keep members and their number by layer; a flag each says whether they are of this sequence."""
        config = self._config
        m.submodules.members = members = Memory(
            shape=config.expert_bits, depth=config.max_layers << config.expert_bits, init=[]
        )
        m.submodules.counts = counts = Memory(shape=len(self._count), depth=config.max_layers, init=[])
        write: Any = members.write_port()
        read: Any = members.read_port()
        count_write: Any = counts.write_port()
        count_read: Any = counts.read_port()
        base = Signal.like(self._count)
        valid: Any = Signal(config.max_layers)
        read_valid = Signal()
        m.d.comb += [
            base.eq(Mux(self.first, 0, self._count)),
            write.addr.eq(Cat(base[: config.expert_bits], self.layer)),
            write.data.eq(self.expert),
            write.en.eq(self.store & self.add),
            count_write.addr.eq(self.layer),
            count_write.data.eq(base + self.add),
            count_write.en.eq(self.store),
            read.addr.eq(Cat(self._read_index, self._read_layer)),
            count_read.addr.eq(self._read_layer),
            self._read_expert.eq(read.data),
            self._read_count.eq(Mux(read_valid, count_read.data, 0)),
        ]
        m.d.sync += read_valid.eq(valid.bit_select(self._read_layer, 1))
        with m.If(self.clear):
            m.d.sync += valid.eq(0)
        with m.If(self.store):
            m.d.sync += [self._count.eq(base + self.add), valid.bit_select(self.layer, 1).eq(1)]

    def _elaborate_walk(self, m):
        """LOOK at a distance, take the COUNT of its layer's members, READ them; the answer comes a cycle later."""
        steps = range(self._farthest + 1)
        distance = Signal(steps)
        is_source = Const(sum(1 << step for step in steps if step in self._sources), self._farthest + 1)
        source_at = Array(Const(self._sources.get(step, 0), source_bits_of(self._config)) for step in steps)
        reading = Signal()
        m.d.sync += [self.row_valid.eq(reading), self.row.source.eq(source_at[distance])]
        m.d.comb += self.row.expert.eq(self._read_expert)
        with m.FSM() as fsm:
            m.d.comb += [self.busy.eq(~fsm.ongoing("IDLE")), reading.eq(fsm.ongoing("READ"))]
            with m.State("IDLE"):
                m.d.sync += [self._read_layer.eq(self.target), distance.eq(0)]
                with m.If(self.start):
                    m.next = "LOOK"
            with m.State("LOOK"):
                m.d.sync += self._read_index.eq(0)
                with m.If(is_source.bit_select(distance, 1)):
                    m.next = "COUNT"
                with m.Else():
                    self._step_back(m, distance)
            with m.State("COUNT"):
                with m.If((self._read_count == 0) | (self._read_layer == self.current)):
                    self._step_back(m, distance)
                with m.Else():
                    m.next = "READ"
            with m.State("READ"):
                m.d.sync += self._read_index.eq(self._read_index + 1)
                with m.If(self._read_index + 1 == self._read_count):
                    self._step_back(m, distance)
            with m.State("END"):
                m.next = "IDLE"

    def _step_back(self, m, distance):
        """Go one layer back, or end the walk."""
        m.d.sync += distance.eq(distance + 1)
        m.d.sync += self._read_layer.eq(Mux(self._read_layer == 0, self.n_layers, self._read_layer) - 1)
        m.next = "LOOK"
        with m.If(distance == self._farthest):
            m.next = "END"

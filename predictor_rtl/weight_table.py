"""Weight table: the memory of the weight predictor."""

from typing import TYPE_CHECKING, Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out

from ..hw.config import UnitConfig
from ..hw.interfaces import QUAD, WeightPortSignature
from ..hw.parity import is_wrong, stored_bits, stored_word, word_of
from .weight_layout import group_bits_of, groups_of, lanes_of, place_bits_of, source_bits_of


def word_address_layout(config: UnitConfig) -> data.StructLayout:
    """Return the address of a word: a group of lanes of the row of `expert` in `source`, for target `layer`.

    With `weight_ways` the row's way stands in for its expert.
    """
    fields = {"expert": place_bits_of(config), "layer": config.layer_bits, "source": source_bits_of(config)}
    groups = {"group": group_bits_of(config)} if groups_of(config) > 1 else {}
    return data.StructLayout(groups | fields)


def word_members(config: UnitConfig) -> dict[str, wiring.Member]:
    """Return the engine's and the port's way into a table; see `WeightTable`."""
    address: Any = word_address_layout(config)
    word_bits = lanes_of(config) * config.weight_bits
    return {
        "unlocked": In(1),
        "port": In(WeightPortSignature(config)),
        "port_busy": Out(1),
        "read_address": In(address),
        "word": Out(word_bits),
        "write": In(1),
        "write_address": In(address),
        "write_word": In(word_bits),
        **({"wrong": Out(1), "port_wrong": Out(1)} if config.parity else {}),
    }


class WeightTable(wiring.Component):
    """Stores a row of `max_experts` weights for each layer, source and expert, in one synchronous memory.

    A word holds `weight_lanes` weights; nothing was learnt where the memory holds its zeros of reset. Block RAM is slow
    to answer: address and word are registered.

    Latency: `word` is valid `latency` = 3 cycles after its address. A port access takes `port_latency` = 5 cycles from
    `request` to `done`. Throughput: one read and one write a cycle; a read sees the writes up to the cycle before its
    address. The port: one access at a time.

    With `parity` each word has a parity bit, and one with a wrong one reads as 0, nothing learnt.

    Members
    -------
    wrong, port_wrong : Out
        Only with `parity`: `word` is 0 for that reason; pulse: a port access met such a word.
    unlocked : In
        The port may use the memory; it finishes an access that it has begun, `port_busy` meanwhile.
    port : In(WeightPortSignature)
        Access to four weights of a row.
    port_busy : Out
    read_address : In, word : Out
        The engine's read; no enable.
    write : In, write_address : In, write_word : In
        The engine's write; not while `unlocked` or `port_busy`.
    """

    latency = 3
    port_latency = 5

    def __init__(self, *, config: UnitConfig):
        self._config = config
        self._word_bits = lanes_of(config) * config.weight_bits
        self.contents = self._make_contents()
        super().__init__(self._members())

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def _make_contents(self) -> MemoryData:
        config = self._config
        address: Any = word_address_layout(config)
        depth = len(config.weight_sources) << (address.size - source_bits_of(config))
        return MemoryData(shape=stored_bits(config, self._word_bits), depth=depth, init=[])

    def _members(self) -> dict[str, wiring.Member]:
        return word_members(self._config)

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        merged = Signal(self._word_bits)
        port_address: Any = Signal(word_address_layout(self._config))
        port_write = Signal()
        self._elaborate_memory(
            m,
            read_address=Mux(self.port_busy, port_address, self.read_address),
            enable=self.write | port_write,
            write_address=Mux(self.port_busy, port_address, self.write_address),
            write_word=Mux(self.port_busy, merged, self.write_word),
        )
        self._elaborate_port(m, port_address, merged, port_write)
        return m

    def _elaborate_memory(self, m, *, read_address, enable, write_address, write_word):
        m.submodules.words = words = Memory(self.contents)
        read: Any = words.read_port()
        write: Any = words.write_port()
        registered = Signal.like(read.addr, name="read_address")
        m.d.sync += registered.eq(read_address)
        m.d.comb += [
            read.addr.eq(registered),
            write.addr.eq(write_address),
            write.data.eq(stored_word(self._config, write_word)),
            write.en.eq(enable),
        ]
        word = word_of(self._config, read.data)
        if self._config.parity:
            wrong = is_wrong(self._config, read.data)
            word = Mux(wrong, 0, word)
            m.d.sync += self.wrong.eq(wrong)
            m.d.comb += self.port_wrong.eq(self.port.done & self.wrong)
        m.d.sync += self.word.eq(word)

    def _elaborate_port(self, m, port_address, merged, port_write):
        """Read the word, answer with the four weights, and for a write put others in their place."""
        port, bits = self.port, self._config.weight_bits
        quads = lanes_of(self._config) // QUAD
        age = Signal(self.port_latency)
        select = port.quad[: (quads - 1).bit_length()] if quads > 1 else 0
        old = self.word.word_select(select, QUAD * bits)
        new = Cat(port.data[8 * place : 8 * place + bits] for place in range(QUAD))
        m.d.comb += [
            port_address.layer.eq(port.layer),
            port_address.source.eq(port.source),
            port_address.expert.eq(self._place_of_port()),
            self.port_busy.eq(age.any()),
            port.done.eq(age[-1]),
            port_write.eq(age[-1] & port.write),
            merged.eq(self.word),
            merged.word_select(select, QUAD * bits).eq(new),
            port.read_data.eq(Cat(self._byte(old[place * bits : (place + 1) * bits]) for place in range(QUAD))),
        ]
        if groups_of(self._config) > 1:
            m.d.comb += port_address.group.eq(port.quad[(quads - 1).bit_length() :])
        m.d.sync += age.eq(Cat(port.request & self.unlocked & ~self.port_busy, age[:-1]))

    def _place_of_port(self):
        """Return where the row that the port names lies."""
        return self.port.row

    def _byte(self, weight):
        """Return a weight, sign extended to a byte."""
        return Cat(weight, weight[-1].replicate(8 - len(weight)))

"""The key map: for each expert of each layer, the slot that last held it."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import UnitConfig
from .parity import is_wrong, stored_array, stored_word, word_of

ROW_WORDS = 2
"""Words of neighbouring experts in a row of the memory.

The choice among them follows the memory's output register. In distributed RAM the row's address so passes half as many
columns; with four words the way from the register on to the slot's row would be the longer one (estimated, ECP5).
"""


def key_layout(config: UnitConfig) -> data.StructLayout:
    """Return a key: one expert of one layer."""
    return data.StructLayout({"layer": config.layer_bits, "expert": config.expert_bits})


class KeyMap(wiring.Component):
    """Maps key to slot; entries need not be true, so the memory needs no reset.

    Latency: one cycle. Throughput: one look-up and one entry a cycle. A look-up in the cycle of an entry to the same
    key returns the old slot.

    Parameters
    ----------
    config : UnitConfig
        `max_layers << expert_bits` words of a slot's number, with `parity` of one bit more.

    Members
    -------
    find : In(key_layout)
        The key that is looked up.
    found : Out(slot_bits)
        Its slot, a cycle later.
    wrong : Out(1)
        Only with `parity`: `found` has wrong parity.
    enter, key, slot
        Strobe: from the next cycle on, `key` is in `slot`.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        words = config.max_layers << config.expert_bits
        shape = stored_array(config, config.slot_bits, ROW_WORDS)
        self.contents = MemoryData(shape=shape, depth=words // ROW_WORDS, init=[])
        super().__init__(
            ({"wrong": Out(1)} if config.parity else {})
            | {
                "find": In(key_layout(config)),
                "found": Out(config.slot_bits),
                "enter": In(1),
                "key": In(key_layout(config)),
                "slot": In(config.slot_bits),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        config = self._config
        m.submodules.memory = memory = Memory(self.contents)
        reader, writer = memory.read_port(), memory.write_port(granularity=1)
        lane_bits = exact_log2(ROW_WORDS)
        find, key = (Cat(each.expert, each.layer) for each in (self.find, self.key))
        lane = Signal(lane_bits)
        m.d.sync += lane.eq(find)
        stored = reader.data[lane]
        m.d.comb += [
            reader.addr.eq(find >> lane_bits),
            self.found.eq(word_of(config, stored)),
            writer.addr.eq(key >> lane_bits),
            writer.en.eq(Mux(self.enter, 1 << key[:lane_bits], 0)),
            *(word.eq(stored_word(config, self.slot)) for word in writer.data),
        ]
        if config.parity:
            m.d.comb += self.wrong.eq(is_wrong(config, stored))
        return m

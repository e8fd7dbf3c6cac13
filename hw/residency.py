"""The residency directory's storage: which expert lies in which slot, and each slot's state."""

from enum import IntEnum

from amaranth import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out

from .config import EVENT_BITS, UnitConfig, bits_for
from .parity import is_wrong, stored_array, stored_bits, stored_word, word_of

TICK_BITS = 32
"""Width of the recency counter; at 10^6 slot searches and releases a second it wraps after an hour."""


class SlotState(IntEnum):
    """What a slot holds; a key is found only in state FILLING or RESIDENT."""

    FREE = 0
    FILLING = 1
    RESIDENT = 2
    DRAINING = 3
    """Its transfer was aborted and still has bursts under way."""


def key_layout(config: UnitConfig) -> data.StructLayout:
    """Return a key: one expert of one layer."""
    return data.StructLayout({"layer": config.layer_bits, "expert": config.expert_bits})


def flags_layout() -> data.StructLayout:
    """Return what flip-flops hold for each slot; all of it may change in one cycle at an event's end."""
    return data.StructLayout(
        {
            "state": SlotState,
            "pinned": 1,
            "released": 1,
            "sticky": 1,
            "unused": 1,
            "late": 1,
        }
    )


class DirectoryRowsSignature(wiring.Signature):
    """The slot map read a row of `scan_lanes` slots at a time, seen from the reader.

    Keys, ticks and stamps come one cycle after `read_row`, flags of `scan_row` in the same cycle.
    """

    def __init__(self, config: UnitConfig):
        lanes = config.scan_lanes
        row_bits = bits_for(config.slots // lanes)
        super().__init__(
            {
                "read_row": Out(row_bits),
                "row_keys": In(data.ArrayLayout(key_layout(config), lanes)),
                "row_ticks": In(data.ArrayLayout(TICK_BITS, lanes)),
                "row_stamps": In(data.ArrayLayout(EVENT_BITS, lanes)),
                "scan_row": Out(row_bits),
                "scan_flags": In(data.ArrayLayout(flags_layout(), lanes)),
            }
        )


class DirectorySignature(wiring.Signature):
    """All of the directory's ports, seen from the commit port.

    Members
    -------
    find_key, slot_of_key
        Key map look-up, answered one cycle later.
    rows
        The slot map.
    slot, flags
        Flags of one slot, one cycle later.
    write_slot
        The slot that the strobes below change; a key write enters both maps.
    end_event
        Clears `pinned` and `released` of every slot.
    map_wrong, key_wrong, row_wrong
        Only with `parity`: what comes as `slot_of_key` has wrong parity; a lane's key has, or any of its words has.
        Slots that are FREE may be told too: their words need not have been written.
    """

    def __init__(self, config: UnitConfig):
        lanes = config.scan_lanes
        parity = {"map_wrong": In(1), "key_wrong": In(lanes), "row_wrong": In(lanes)} if config.parity else {}
        super().__init__(
            parity
            | {
                "find_key": Out(key_layout(config)),
                "slot_of_key": In(config.slot_bits),
                "rows": Out(DirectoryRowsSignature(config)),
                "slot": Out(config.slot_bits),
                "flags": In(flags_layout()),
                "write_slot": Out(config.slot_bits),
                "key_write": Out(1),
                "key_value": Out(key_layout(config)),
                "tick_write": Out(1),
                "tick_value": Out(TICK_BITS),
                "stamp_write": Out(1),
                "stamp_value": Out(EVENT_BITS),
                "flags_write": Out(1),
                "flags_value": Out(flags_layout()),
                "end_event": Out(1),
            }
        )


class ResidencyDirectory(wiring.Component):
    """Maps key to slot and slot to key, with a recency tick, a stamp and flags for each slot.

    A key is resident or in flight only if both maps agree and the slot's state says so, so no memory needs a
    reset. Stale entries of either map are harmless.

    Latency: look-ups, row reads and flags of a slot one cycle, flags of a row none. Throughput: one look-up, one row
    read and one write of each memory a cycle. A read in the cycle of a write to the same row returns the old value;
    flags of a slot that are read in the cycle of `end_event` are those after it.

    Parameters
    ----------
    config : UnitConfig
        `slots / scan_lanes` rows of `scan_lanes` slots. With `parity` each word of the memories has a parity bit; flags
        are flip-flops and have none.

    Members
    -------
    port : In(DirectorySignature)
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        rows = config.slots // config.scan_lanes
        widths = {"keys": key_layout(config).size, "ticks": TICK_BITS, "stamps": EVENT_BITS}
        shapes = {name: stored_array(config, width, config.scan_lanes) for name, width in widths.items()}
        self.contents = {
            "slot_of_key": MemoryData(
                shape=stored_bits(config, config.slot_bits), depth=config.max_layers << config.expert_bits, init=[]
            )
        } | {name: MemoryData(shape=shape, depth=rows, init=[]) for name, shape in shapes.items()}
        super().__init__({"port": In(DirectorySignature(config))})

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        config = self._config
        m.submodules.slot_of_key = key_map = Memory(self.contents["slot_of_key"])
        find, enter = key_map.read_port(), key_map.write_port()
        m.d.comb += [
            find.addr.eq(Cat(self.port.find_key.expert, self.port.find_key.layer)),
            self.port.slot_of_key.eq(word_of(config, find.data)),
            enter.addr.eq(Cat(self.port.key_value.expert, self.port.key_value.layer)),
            enter.data.eq(stored_word(config, self.port.write_slot)),
            enter.en.eq(self.port.key_write),
        ]
        port, rows = self.port, self.port.rows
        wrong = [
            self._slot_memory(m, "keys", rows.row_keys, port.key_write, port.key_value),
            self._slot_memory(m, "ticks", rows.row_ticks, port.tick_write, port.tick_value),
            self._slot_memory(m, "stamps", rows.row_stamps, port.stamp_write, port.stamp_value),
        ]
        if config.parity:
            m.d.comb += [
                port.map_wrong.eq(is_wrong(config, find.data)),
                port.key_wrong.eq(wrong[0]),
                port.row_wrong.eq(wrong[0] | wrong[1] | wrong[2]),
            ]
        self._flags(m)
        return m

    def _slot_memory(self, m, name, row, write, value):
        """Build one of the slots' memories; return for each lane whether its word has wrong parity."""
        config = self._config
        lanes = config.scan_lanes
        lane_bits = lanes.bit_length() - 1
        m.submodules[name] = memory = Memory(self.contents[name])
        reader, writer = memory.read_port(), memory.write_port(granularity=1)
        m.d.comb += [
            reader.addr.eq(self.port.rows.read_row),
            row.as_value().eq(Cat(word_of(config, reader.data[lane]) for lane in range(lanes))),
            writer.addr.eq(self.port.write_slot >> lane_bits),
            writer.en.eq(Mux(write, 1 << (self.port.write_slot[:lane_bits] if lane_bits else 0), 0)),
        ]
        for lane in range(lanes):
            m.d.comb += writer.data[lane].eq(stored_word(config, Value.cast(value)))
        return Cat(is_wrong(config, reader.data[lane]) for lane in range(lanes))

    def _flags(self, m):
        """Keep each flag as one vector over all slots, in which a row is one run of bits."""
        config, port = self._config, self.port
        place = Signal(config.slots)
        m.d.comb += place.eq(1 << port.write_slot)
        for name, shape in flags_layout().members.items():
            for bit in range(Shape.cast(shape).width):
                vector = Signal(config.slots, name=f"flags_{name}_{bit}")
                kept = Mux(port.end_event, 0, vector) if name in ("pinned", "released") else vector
                value = Value.cast(port.flags_value[name])[bit]
                with m.If(port.flags_write):
                    m.d.sync += vector.eq(Mux(value, kept | place, kept & ~place))
                with m.Elif(port.end_event):
                    m.d.sync += vector.eq(kept)
                m.d.sync += Value.cast(port.flags[name])[bit].eq(kept.bit_select(port.slot, 1))
                row = vector.word_select(port.rows.scan_row, config.scan_lanes)
                for lane in range(config.scan_lanes):
                    m.d.comb += Value.cast(port.rows.scan_flags[lane][name])[bit].eq(row[lane])

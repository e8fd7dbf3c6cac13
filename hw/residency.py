"""The residency directory's storage: which expert lies in which slot, and each slot's state."""

from enum import IntEnum

from amaranth import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .config import EVENT_BITS, UnitConfig, bits_for

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
        Flags of one slot, combinational.
    write_slot
        The slot that the strobes below change; a key write enters both maps.
    end_event
        Clears `pinned` and `released` of every slot.
    """

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
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

    Latency: look-ups and row reads one cycle, flags combinational. Throughput: one look-up, one row read and
    one write of each memory a cycle. A read in the cycle of a write to the same row returns the old value.

    Parameters
    ----------
    config : UnitConfig
        `slots / scan_lanes` rows of `scan_lanes` slots.

    Members
    -------
    port : In(DirectorySignature)
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__({"port": In(DirectorySignature(config))})

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        config = self._config
        m.submodules.slot_of_key = key_map = Memory(
            shape=config.slot_bits, depth=config.max_layers << config.expert_bits, init=[]
        )
        find, enter = key_map.read_port(), key_map.write_port()
        m.d.comb += [
            find.addr.eq(Cat(self.port.find_key.expert, self.port.find_key.layer)),
            self.port.slot_of_key.eq(find.data),
            enter.addr.eq(Cat(self.port.key_value.expert, self.port.key_value.layer)),
            enter.data.eq(self.port.write_slot),
            enter.en.eq(self.port.key_write),
        ]
        self._slot_memory(
            m, "keys", key_layout(config), self.port.rows.row_keys, self.port.key_write, self.port.key_value
        )
        self._slot_memory(m, "ticks", TICK_BITS, self.port.rows.row_ticks, self.port.tick_write, self.port.tick_value)
        self._slot_memory(
            m, "stamps", EVENT_BITS, self.port.rows.row_stamps, self.port.stamp_write, self.port.stamp_value
        )
        self._flags(m)
        return m

    def _slot_memory(self, m, name, shape, row, write, value):
        config = self._config
        lanes = config.scan_lanes
        lane_bits = lanes.bit_length() - 1
        memory = Memory(shape=data.ArrayLayout(shape, lanes), depth=config.slots // config.scan_lanes, init=[])
        m.submodules[name] = memory
        reader, writer = memory.read_port(), memory.write_port(granularity=1)
        m.d.comb += [
            reader.addr.eq(self.port.rows.read_row),
            row.eq(reader.data),
            writer.addr.eq(self.port.write_slot >> lane_bits),
            writer.en.eq(Mux(write, 1 << (self.port.write_slot[:lane_bits] if lane_bits else 0), 0)),
        ]
        for lane in range(lanes):
            m.d.comb += writer.data[lane].eq(value)

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
                m.d.comb += Value.cast(port.flags[name])[bit].eq(vector.bit_select(port.slot, 1))
                row = vector.word_select(port.rows.scan_row, config.scan_lanes)
                for lane in range(config.scan_lanes):
                    m.d.comb += Value.cast(port.rows.scan_flags[lane][name])[bit].eq(row[lane])

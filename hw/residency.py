"""The residency directory's storage: which expert lies in which slot, and each slot's state."""

from enum import IntEnum

from amaranth import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out

from .config import EVENT_BITS, UnitConfig, bits_for
from .events_ahead import EventsAhead, ahead_bits
from .key_map import KeyMap, key_layout
from .parity import is_wrong, stored_array, stored_word, word_of

TICK_BITS = 32
"""Width of the recency counter; at 10^6 slot searches and releases a second it wraps after an hour."""


class SlotState(IntEnum):
    """What a slot holds; a key is found only in state FILLING or RESIDENT."""

    FREE = 0
    FILLING = 1
    RESIDENT = 2
    DRAINING = 3
    """Its transfer was aborted and still has bursts under way."""


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


def traits_layout() -> data.StructLayout:
    """Return what decisions ask of a slot.

    `in_use` is resident, pinned and not released; `undemanded` is filling and not pinned; `coming` is that its stamp is
    of an event that has not closed, `wrong` undemanded and not coming; `here` and `on_its_way` are that it is one of
    the `n_slots` in use, and resident or filling.
    """
    names = ("resident", "filling", "in_use", "undemanded", "coming", "wrong", "here", "on_its_way")
    return data.StructLayout(dict.fromkeys(names, 1))


class DirectoryRowsSignature(wiring.Signature):
    """The slot map read a row of `scan_lanes` slots at a time, seen from the reader.

    Keys, ticks and stamps come one cycle after `read_row`, flags of `scan_row` in the same cycle, and with them the
    events that its stamps lie ahead.
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
                "scan_ahead": In(data.ArrayLayout(ahead_bits(config), lanes)),
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
    slot, flags, traits
        Flags of one slot, and what follows from them and its stamp, one cycle later.
    n_slots
        Slots in use.
    current, closing
        Number of the last event that closed, and a pulse in the cycle before it goes up by one.
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
                "traits": In(traits_layout()),
                "n_slots": Out(bits_for(config.slots + 1)),
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
                "current": Out(EVENT_BITS),
                "closing": Out(1),
            }
        )


class ResidencyDirectory(wiring.Component):
    """Maps key to slot and slot to key, with a recency tick, a stamp and flags for each slot.

    A slot's stamp is the number of the event that its expert is wanted for.

    A key is resident or in flight only if both maps agree and the slot's state says so, so no memory needs a
    reset. Stale entries of either map are harmless.

    Latency: look-ups, row reads and flags of a slot one cycle, flags of a row none. Throughput: one look-up, one row
    read and one write of each memory a cycle. A read in the cycle of a write to the same row returns the old value, and
    so does one in the next cycle of ticks, of stamps and of a row's flags; flags of a slot that are read in the cycle
    of `end_event` are those after it.

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
        self._key_map = KeyMap(config=config)
        self.contents = {"slot_of_key": self._key_map.contents} | {
            name: MemoryData(shape=shape, depth=rows, init=[]) for name, shape in shapes.items()
        }
        super().__init__({"port": In(DirectorySignature(config))})

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        config = self._config
        port, rows = self.port, self.port.rows
        m.submodules.key_map = key_map = self._key_map
        m.d.comb += [
            key_map.find.eq(port.find_key),
            port.slot_of_key.eq(key_map.found),
            key_map.enter.eq(port.key_write),
            key_map.key.eq(port.key_value),
            key_map.slot.eq(port.write_slot),
        ]
        later = Signal(data.StructLayout({"slot": config.slot_bits, "tick_write": 1, "tick_value": TICK_BITS,
                                          "stamp_write": 1, "stamp_value": EVENT_BITS}))  # fmt: skip
        m.d.sync += [
            later.slot.eq(port.write_slot),
            *(later[name].eq(getattr(port, name)) for name in later.shape().members if name != "slot"),
        ]
        wrong = [
            self._slot_memory(m, "keys", rows.row_keys, port.write_slot, port.key_write, port.key_value),
            self._slot_memory(m, "ticks", rows.row_ticks, later.slot, later.tick_write, later.tick_value),
            self._slot_memory(m, "stamps", rows.row_stamps, later.slot, later.stamp_write, later.stamp_value),
        ]
        if config.parity:
            m.d.comb += [
                port.map_wrong.eq(key_map.wrong),
                port.key_wrong.eq(wrong[0]),
                port.row_wrong.eq(wrong[0] | wrong[1] | wrong[2]),
            ]
        m.submodules.ahead = ahead = EventsAhead(config=config)
        m.d.comb += [
            ahead.write.eq(later.stamp_write),
            ahead.slot.eq(later.slot),
            ahead.stamp.eq(later.stamp_value),
            ahead.current.eq(port.current),
            ahead.closing.eq(port.closing),
            rows.scan_ahead.eq(
                ahead.ahead.as_value().word_select(rows.scan_row, rows.scan_ahead.as_value().shape().width)
            ),
        ]
        slots = range(config.slots)
        self._flags(
            m,
            coming=Cat(ahead.ahead[slot].any() for slot in slots),
            usable=Cat(slot < port.n_slots for slot in slots),
        )
        return m

    def _slot_memory(self, m, name, row, slot, write, value):
        """Build one of the slots' memories; return for each lane whether its word has wrong parity."""
        config = self._config
        lanes = config.scan_lanes
        lane_bits = lanes.bit_length() - 1
        m.submodules[name] = memory = Memory(self.contents[name])
        reader, writer = memory.read_port(), memory.write_port(granularity=1)
        m.d.comb += [
            reader.addr.eq(self.port.rows.read_row),
            row.as_value().eq(Cat(word_of(config, reader.data[lane]) for lane in range(lanes))),
            writer.addr.eq(slot >> lane_bits),
            writer.en.eq(Mux(write, 1 << (slot[:lane_bits] if lane_bits else 0), 0)),
        ]
        for lane in range(lanes):
            m.d.comb += writer.data[lane].eq(stored_word(config, Value.cast(value)))
        return Cat(is_wrong(config, reader.data[lane]) for lane in range(lanes))

    def _flags(self, m, coming, usable):
        """Keep each flag as one vector over all slots, in which a row is one run of bits.

        What a commit writes is known late in its cycle: it is held, and enters the vectors in the next cycle.
        """
        port = self.port
        held = Signal(data.StructLayout({"write": 1, "end_event": 1, "value": flags_layout()}))
        place = Signal(self._config.slots)
        m.d.sync += [
            held.write.eq(port.flags_write),
            held.end_event.eq(port.end_event),
            held.value.eq(port.flags_value),
            place.eq(1 << port.write_slot),
        ]
        seen = {
            (name, bit): self._flag_vector(m, name, bit, held, place)
            for name, shape in flags_layout().members.items()
            for bit in range(Shape.cast(shape).width)
        }
        for (name, bit), vector in seen.items():
            m.d.sync += Value.cast(port.flags[name])[bit].eq(vector.bit_select(port.slot, 1))
        for name, vector in _traits(seen, coming, usable).items():
            m.d.sync += port.traits[name].eq(vector.bit_select(port.slot, 1))

    def _flag_vector(self, m, name, bit, held, place):
        """Build one flag of all slots; return what a read of this cycle sees of it."""
        config, port = self._config, self.port
        vector = Signal(config.slots, name=f"flags_{name}_{bit}")
        kept, seen = (Signal(config.slots, name=f"{kind}_{name}_{bit}") for kind in ("kept", "seen"))
        written = place & held.write.replicate(config.slots)
        value = Value.cast(held.value[name])[bit].replicate(config.slots)
        ended = ends_now = Const(0, config.slots)
        if name in ("pinned", "released"):
            ended, ends_now = (end.replicate(config.slots) for end in (held.end_event, port.end_event))
        m.d.comb += [kept.eq((vector & ~written & ~ended) | (value & written)), seen.eq(kept & ~ends_now)]
        m.d.sync += vector.eq(kept)
        row = vector.word_select(port.rows.scan_row, config.scan_lanes)
        for lane in range(config.scan_lanes):
            m.d.comb += Value.cast(port.rows.scan_flags[lane][name])[bit].eq(row[lane])
        return seen


def _traits(seen, coming, usable):
    """Return each of `traits_layout` for all slots; `seen` has a vector for each bit of the flags."""
    low, high, pinned, released = (seen[bit] for bit in (("state", 0), ("state", 1), ("pinned", 0), ("released", 0)))
    resident, filling = high & ~low, low & ~high
    return {
        "resident": resident,
        "filling": filling,
        "in_use": resident & pinned & ~released,
        "undemanded": filling & ~pinned,
        "coming": coming,
        "wrong": filling & ~pinned & ~coming,
        "here": resident & usable,
        "on_its_way": filling & usable,
    }

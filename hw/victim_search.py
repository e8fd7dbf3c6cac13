"""Finds the slot for an expert: a free one, else the victim that docs/unit-rules.md names."""

from enum import IntEnum

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .config import EVENT_BITS, UnitConfig, bits_for
from .events_ahead import ahead_bits, events_after
from .records import VictimPolicy
from .residency import TICK_BITS, DirectoryRowsSignature, SlotState


class VictimClass(IntEnum):
    """Classes of slots in the order in which they are taken."""

    FREE = 0
    PASSED = 1
    """Resident, not for a coming event."""
    COMING = 2
    """Resident, for a coming event."""
    OWN_RELEASED = 3
    """Of the open event, its grant already returned; only a demand takes it."""
    IN_FLIGHT = 4
    """An undemanded prefetch under way; only a demand aborts it."""
    NONE = 7


class SearchSignature(wiring.Signature):
    """A search's question and answer, seen from who asks; the question must be stable until `done`.

    Members
    -------
    start, demand, deadline, current, layer, n_layers, n_slots, policy
        The question; `current` and `layer` are those of the last closed event.
    done, found, slot
        `found` is the class of `slot`, NONE if there is no slot to take.
    reads
        Only with `parity`: the rows' words are those of the slots in `scan_row`.
    """

    def __init__(self, config: UnitConfig):
        super().__init__(
            ({"reads": In(1)} if config.parity else {})
            | {
                "start": Out(1),
                "demand": Out(1),
                "deadline": Out(EVENT_BITS),
                "current": Out(EVENT_BITS),
                "layer": Out(config.layer_bits),
                "n_layers": Out(bits_for(config.max_layers + 1)),
                "n_slots": Out(bits_for(config.slots + 1)),
                "policy": Out(VictimPolicy),
                "done": In(1),
                "found": In(VictimClass),
                "slot": In(config.slot_bits),
            }
        )


class VictimSearch(wiring.Component):
    """Reads all slots, `scan_lanes` a cycle, and names the best one.

    The cost of a slot is (class, layer distance under LEAST_STALE, tick or inverted stamp); the lowest wins, ties
    to the lower slot. A demand may take every class; a prefetch takes FREE, PASSED, and those COMING whose
    stamp is at or after its own deadline.

    Latency: `done` comes `latency(n_slots)` cycles after `start`. Throughput: one search at a time.

    Members
    -------
    search : In(SearchSignature)
    rows : Out(DirectoryRowsSignature)
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__({"search": In(SearchSignature(config)), "rows": Out(DirectoryRowsSignature(config))})

    def latency(self, n_slots: int) -> int:
        """Return the cycles from `start` to `done`: the rows, then memory, cost, one per tree level, best."""
        lanes = self._config.scan_lanes
        return -(-n_slots // lanes) + 3 + (lanes.bit_length() - 1)

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        lanes = self._config.scan_lanes
        lane_bits = lanes.bit_length() - 1
        running = Signal()
        row = Signal(bits_for(self._config.slots // self._config.scan_lanes))
        last_row = Signal(bits_for(self._config.slots // self._config.scan_lanes))
        m.d.comb += [last_row.eq((self.search.n_slots - 1) >> lane_bits), self.rows.read_row.eq(row)]
        with m.If(self.search.start):
            m.d.sync += [running.eq(1), row.eq(0)]
        with m.Elif(running):
            m.d.sync += row.eq(row + 1)
            with m.If(row == last_row):
                m.d.sync += running.eq(0)

        s1_valid, s1_last = Signal(), Signal()
        m.d.sync += [
            s1_valid.eq(running),
            s1_last.eq(running & (row == last_row)),
            self.rows.scan_row.eq(row),
        ]
        if self._config.parity:
            m.d.comb += self.search.reads.eq(s1_valid)
        self._deadline_ahead = Signal(ahead_bits(self._config))
        m.d.sync += self._deadline_ahead.eq(events_after(self._config, self.search.deadline, self.search.current))
        entries = [self._lane_cost(m, lane, s1_valid) for lane in range(lanes)]
        s2_valid, s2_last = Signal(), Signal()
        m.d.sync += [s2_valid.eq(s1_valid), s2_last.eq(s1_last)]
        best, valid, last = self._tree(m, entries, s2_valid, s2_last)
        self._running_best(m, best, valid, last)
        return m

    def _lane_cost(self, m, lane, valid):
        """Return the registered cost and slot of a lane's slot."""
        config = self._config
        flags, key = self.rows.scan_flags[lane], self.rows.row_keys[lane]
        stamp, tick = self.rows.row_stamps[lane], self.rows.row_ticks[lane]
        lane_bits = config.scan_lanes.bit_length() - 1
        slot = Signal(config.slot_bits, name=f"slot_{lane}")
        m.d.comb += slot.eq((self.rows.scan_row << lane_bits) | lane)

        ahead = Signal(EVENT_BITS, name=f"ahead_{lane}")
        distance = Signal(bits_for(config.max_layers + 1) + 1, name=f"distance_{lane}")
        m.d.comb += [
            ahead.eq(stamp - self.search.current),
            distance.eq(
                Mux(
                    key.layer >= self.search.layer,
                    key.layer - self.search.layer,
                    key.layer + self.search.n_layers - self.search.layer,
                )
            ),
        ]
        events_ahead = self.rows.scan_ahead[lane]
        coming, beyond = events_ahead.any(), events_ahead >= self._deadline_ahead
        found = Signal(VictimClass, init=VictimClass.NONE, name=f"class_{lane}")
        with m.If(~valid | (slot >= self.search.n_slots)):
            pass
        with m.Elif(flags.state == SlotState.FREE):
            m.d.comb += found.eq(VictimClass.FREE)
        with m.Elif((flags.state == SlotState.RESIDENT) & ~flags.sticky):
            with m.If(~flags.pinned & ~coming):
                m.d.comb += found.eq(VictimClass.PASSED)
            with m.Elif(~flags.pinned & (self.search.demand | beyond)):
                m.d.comb += found.eq(VictimClass.COMING)
            with m.Elif(flags.pinned & flags.released & self.search.demand):
                m.d.comb += found.eq(VictimClass.OWN_RELEASED)
        with m.Elif((flags.state == SlotState.FILLING) & ~flags.pinned & self.search.demand):
            m.d.comb += found.eq(VictimClass.IN_FLIGHT)

        stale = Signal(config.layer_bits, name=f"stale_{lane}")
        recency = Signal(TICK_BITS, name=f"recency_{lane}")
        # By the state alone, as the class is known late; of a slot that is not taken nothing but the class counts.
        with m.Switch(flags.state):
            with m.Case(SlotState.RESIDENT):
                m.d.comb += recency.eq(tick)
                with m.If((self.search.policy == VictimPolicy.LEAST_STALE) & ~flags.pinned):
                    m.d.comb += stale.eq(~distance)
            with m.Case(SlotState.FILLING):
                m.d.comb += recency.eq(~(ahead ^ (1 << (EVENT_BITS - 1))))
        cost = Signal(TICK_BITS + config.layer_bits + 3, name=f"cost_{lane}", init=-1)
        s2_slot = Signal(config.slot_bits, name=f"s2_slot_{lane}")
        m.d.sync += [cost.eq(Cat(recency, stale, found)), s2_slot.eq(slot)]
        return cost, s2_slot

    def _tree(self, m, entries, valid, last):
        """Reduce the lanes to the cheapest, one register stage a level; the lower lane wins a tie."""
        level = 0
        while len(entries) > 1:
            reduced = []
            for pair in range(len(entries) // 2):
                (cost_a, slot_a), (cost_b, slot_b) = entries[2 * pair : 2 * pair + 2]
                cost = Signal(cost_a.shape(), name=f"cost_{level}_{pair}")
                slot = Signal(slot_a.shape(), name=f"slot_{level}_{pair}")
                take_b = cost_b < cost_a
                m.d.sync += [cost.eq(Mux(take_b, cost_b, cost_a)), slot.eq(Mux(take_b, slot_b, slot_a))]
                reduced.append((cost, slot))
            next_valid, next_last = Signal(name=f"valid_{level}"), Signal(name=f"last_{level}")
            m.d.sync += [next_valid.eq(valid), next_last.eq(last)]
            entries, valid, last, level = reduced, next_valid, next_last, level + 1
        return entries[0], valid, last

    def _running_best(self, m, best, valid, last):
        cost, slot = best
        best_cost = Signal(cost.shape(), init=-1)
        m.d.comb += self.search.found.eq(best_cost[-3:])
        m.d.sync += self.search.done.eq(valid & last)
        with m.If(self.search.start):
            m.d.sync += best_cost.eq(-1)
        with m.Elif(valid & (cost < best_cost)):
            m.d.sync += [best_cost.eq(cost), self.search.slot.eq(slot)]

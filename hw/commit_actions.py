"""What every commit is made of: look at one slot, change it, grant, log."""

from amaranth import Array, Const, Signal
from amaranth.lib import wiring

from .config import EVENT_BITS
from .key_map import key_layout
from .records import Kind
from .residency import SlotState


class CommitActions(wiring.Component):
    """Shared by the operations of `CommitPort`, which are states of one FSM.

    A commit that looks at a slot does so in two cycles: in the first it asks for it (`_read_slot`), in the second the
    slot is on `_slot`: `_key`, `_stamp` and `_flags` are then that slot's, `_set_flags` writes them. A key that is
    looked for is asked for in the cycle before its slot (`_find`), and is on `_wanted` from the next one on.
    `_log` writes the commit's record; a commit does each at most once. So all that a decision starts from are
    registers: the decision, and what the DMA controller makes of it, share one cycle.

    Latency: that of the operations. Throughput: one slot a cycle.
    """

    def _select_lane(self, m):
        """Pick the selected slot's lane out of the row that was read in the cycle before."""
        lane_bits = self._config.scan_lanes.bit_length() - 1
        lane = self._slot[:lane_bits] if lane_bits else Const(0, 1)
        # The same number again, a short net for the decisions; another reset value keeps tools from merging the two.
        self._lane = Signal(lane_bits, init=(1 << lane_bits) - 1)
        rows = self.directory.rows
        keys = [rows.row_keys[i] for i in range(self._config.scan_lanes)]
        self._key = Signal(key_layout(self._config))
        self._is_wanted = Signal()
        self._stamp = Signal(EVENT_BITS)
        self._flags, self._traits = self.directory.flags, self.directory.traits
        m.d.comb += [
            self._key.eq(Array(key.as_value() for key in keys)[lane]),
            self._is_wanted.eq(self._of_lane(key.as_value() == self._wanted.as_value() for key in keys)),
            self._stamp.eq(Array(rows.row_stamps[i] for i in range(self._config.scan_lanes))[lane]),
            rows.read_row.eq(self._next_slot >> lane_bits),
            rows.scan_row.eq(self.search_rows.scan_row),
            self.search_rows.row_keys.eq(rows.row_keys),
            self.search_rows.row_ticks.eq(rows.row_ticks),
            self.search_rows.row_stamps.eq(rows.row_stamps),
            self.search_rows.scan_flags.eq(rows.scan_flags),
            self.search_rows.scan_ahead.eq(rows.scan_ahead),
            self.directory.current.eq(self.current),
            self.directory.n_slots.eq(self.settings.n_slots),
            self.directory.slot.eq(self._next_slot),
            self.directory.write_slot.eq(self._slot),
            self.directory.flags_value.eq(self.directory.flags),
        ]
        m.d.sync += [self._slot.eq(self._next_slot), self._lane.eq(self._next_slot)]

    def _of_lane(self, values):
        """Return the selected lane's value; the lanes' are worked out side by side."""
        return Array(values)[self._lane]

    def _log(self, m, kind, **fields):
        m.d.comb += [self._emit.eq(1), self._record.kind.eq(kind)]
        for name, value in fields.items():
            m.d.comb += self._record[name].eq(value)

    def _log_slot(self, m, kind, outcome):
        """Log a commit on the selected slot, whose lane has been read."""
        self._log(m, kind, outcome=outcome, layer=self._key.layer, expert=self._key.expert, slot=self._slot)

    def _set_flags(self, m, **flags):
        m.d.comb += self.directory.flags_write.eq(1)
        for name, value in flags.items():
            m.d.comb += self.directory.flags_value[name].eq(value)

    def _read_slot(self, m, slot):
        m.d.comb += self._next_slot.eq(slot)

    def _find(self, m, layer, expert):
        """Look a key up in the key map, and want it."""
        self._look_up(m, layer, expert)
        self._want(m, layer, expert)

    def _look_up(self, m, layer, expert):
        m.d.comb += [self.directory.find_key.layer.eq(layer), self.directory.find_key.expert.eq(expert)]

    def _want(self, m, layer, expert):
        m.d.sync += [self._wanted.layer.eq(layer), self._wanted.expert.eq(expert)]

    def _read_found(self, m):
        """Read the slot that the key map names, one cycle after `_find`."""
        self._read_slot(m, self.directory.slot_of_key)
        m.d.comb += self._looks_up.eq(1)

    def _grant(self, m, layer, expert, status):
        m.d.comb += [
            self.grant.valid.eq(1),
            self.grant.payload.layer.eq(layer),
            self.grant.payload.expert.eq(expert),
            self.grant.payload.slot.eq(self._slot),
            self.grant.payload.status.eq(status),
        ]

    def _write_tick(self, m):
        m.d.comb += [self.directory.tick_write.eq(1), self.directory.tick_value.eq(self._tick)]

    def _key_matches(self):
        """Return whether the selected slot's key is the wanted one, and not known to be wrong."""
        return self._is_wanted & ~self._key_wrong

    def _finds(self):
        """Return whether both maps agree on the wanted key, and neither has wrong parity.

        If so, traits tell whether the expert is there.
        """
        return self._key_matches() & ~self._map_wrong

    def _is_there(self):
        """Return whether the wanted expert is resident or on its way in the selected slot."""
        return self._finds() & (self._traits.here | self._traits.on_its_way)

    def _abort(self, m, why):
        self._log_slot(m, Kind.ABORT, why)
        self._stop_transfer(m)

    def _stop_transfer(self, m):
        m.d.comb += self.abort.valid.eq(1)
        self._set_flags(m, state=SlotState.DRAINING, unused=0)

    def _free(self, m, why):
        self._log_slot(m, Kind.FREE, why)
        self._set_flags(m, state=SlotState.FREE, unused=0, sticky=0)
        m.d.sync += self.blocked.eq(0)

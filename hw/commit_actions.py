"""What every commit is made of: look at one slot, change it, grant, log."""

from amaranth import Array, Signal
from amaranth.lib import wiring

from .config import EVENT_BITS
from .records import Kind
from .residency import SlotState, key_layout


def is_after(number, other):
    """Compare event numbers modulo their width: `number` is later than `other`."""
    difference = (number - other)[:EVENT_BITS]
    return (difference != 0) & ~difference[-1]


class CommitActions(wiring.Component):
    """Shared by the operations of `CommitPort`, which are states of one FSM.

    A commit that looks at a slot does so in two cycles: in the first it asks for the slot's row (`_read_slot`), in the
    second it puts the slot on `_slot`: `_key`, `_stamp` and `_flags` are then that slot's, `_set_flags` writes them.
    `_log` writes the commit's record; a commit does each at most once.

    Latency: that of the operations. Throughput: one slot a cycle.
    """

    def _select_lane(self, m):
        """Pick the selected slot's lane out of the row that was read in the cycle before."""
        lane_bits = self._config.scan_lanes.bit_length() - 1
        lane = self._slot[:lane_bits] if lane_bits else 0
        rows = self.directory.rows
        self._key = Signal(key_layout(self._config))
        self._stamp = Signal(EVENT_BITS)
        self._flags = self.directory.flags
        m.d.comb += [
            self._key.eq(Array(rows.row_keys[i].as_value() for i in range(self._config.scan_lanes))[lane]),
            self._stamp.eq(Array(rows.row_stamps[i] for i in range(self._config.scan_lanes))[lane]),
            rows.scan_row.eq(self.search_rows.scan_row),
            self.search_rows.row_keys.eq(rows.row_keys),
            self.search_rows.row_ticks.eq(rows.row_ticks),
            self.search_rows.row_stamps.eq(rows.row_stamps),
            self.search_rows.scan_flags.eq(rows.scan_flags),
            self.directory.slot.eq(self._slot),
            self.directory.write_slot.eq(self._slot),
            self.directory.flags_value.eq(self.directory.flags),
        ]

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
        lane_bits = self._config.scan_lanes.bit_length() - 1
        m.d.comb += self.directory.rows.read_row.eq(slot >> lane_bits)

    def _read_found(self, m):
        """Read the slot that the key map names, one cycle after `find_key`."""
        self._read_slot(m, self.directory.slot_of_key)
        m.d.comb += self._looks_up.eq(1)
        m.d.sync += self._found_slot.eq(self.directory.slot_of_key)

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

    def _key_matches(self, layer, expert):
        same = (self._key.layer == layer) & (self._key.expert == expert) & ~self._key_wrong
        return (self._slot < self.settings.n_slots) & same

    def _finds(self, layer, expert):
        """Return whether the look-up before found this expert: both maps agree, and neither has wrong parity."""
        return self._key_matches(layer, expert) & ~self._map_wrong

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

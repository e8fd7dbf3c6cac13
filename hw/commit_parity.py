"""Parity of the directory: a wrong word is never believed, and its slot is emptied."""

from amaranth import Cat, Const, Signal

from .commit_actions import CommitActions
from .residency import SlotState


class ParityChecks(CommitActions):
    """Watches what commits read of the directory; adds no cycle to them.

    A wrong word of the key map is a miss; the expert's next fetch writes it anew. A wrong word of a slot asks for a
    sweep that empties each such slot, unless the open event has pinned it: its grant is out, and was right.

    Latency: none. Throughput: one look-up, and one row of slots, a cycle.
    """

    def _watch_parity(self, m):
        """Drive what the commits ask of; all are 0 without parity."""
        self._key_wrong, self._slot_wrong, self._map_wrong = Const(0), Const(0), Const(0)
        self._looks, self._looks_up = Signal(), Signal()
        if not self._config.parity:
            return
        lane, directory, rows = self._lane, self.directory, self.directory.rows
        holds = Signal()
        self._key_wrong, self._slot_wrong, self._map_wrong = Signal(), Signal(), Signal()
        searched = Cat(flags.state != SlotState.FREE for flags in rows.scan_flags) & directory.row_wrong
        found = (self._looks & self._slot_wrong) | (self.search.reads & searched.any())
        m.d.comb += [
            holds.eq(self._flags.state != SlotState.FREE),
            self._key_wrong.eq(holds & directory.key_wrong.bit_select(lane, 1)),
            self._slot_wrong.eq(holds & directory.row_wrong.bit_select(lane, 1)),
            self.parity_error.eq(found | (self._looks_up & directory.map_wrong)),
        ]
        with m.If(self._looks_up):
            m.d.sync += self._map_wrong.eq(directory.map_wrong)
        with m.If(found):
            m.d.sync += self.scrubbing.eq(1)

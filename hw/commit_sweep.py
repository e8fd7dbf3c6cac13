"""Commits that go over all slots, and the commands that ask for them."""

from amaranth import Signal

from .commands import Command
from .commit_actions import CommitActions
from .records import Kind, Sweep


class SweepCommits(CommitActions):
    """END with its sweep, FREE, ABORT, PIN and FLUSH; latencies as `CommitPort` states."""

    def _dispatch_command(self, m):
        with m.Switch(self.command.kind):
            with m.Case(Command.QUIESCE, Command.RESUME):
                m.d.sync += self.quiesced.eq(self.command.kind == Command.QUIESCE)
                m.d.comb += self.command.done.eq(1)
            with m.Case(Command.FLUSH):
                m.next = "FLUSH"
            with m.Default():
                self._start_sweep(m, self._sweep_of_command(m), by_command=True)

    def _sweep_of_command(self, m):
        kind = Signal(Sweep, init=Sweep.INVALIDATE)
        with m.Switch(self.command.kind):
            with m.Case(Command.PIN_KEY):
                m.d.comb += kind.eq(Sweep.PIN)
            with m.Case(Command.UNPIN_KEY):
                m.d.comb += kind.eq(Sweep.UNPIN)
        return kind

    def _start_sweep(self, m, kind, *, by_command=False):
        """Begin with slot 0, which is the one that is read meanwhile."""
        m.d.sync += [self._sweep_kind.eq(kind), self._by_command.eq(by_command)]
        m.next = "SWEEP"

    def _sweep(self, m):
        config = self._config
        # `_slot + 1`, counted up before the register: the way from there to the next row that is read is long.
        following = Signal(config.slot_bits + 1, init=1)
        m.d.sync += following.eq(self._next_slot + 1)
        with m.State("END"):
            self._log(m, Kind.END, deadline=self.current)
            m.d.comb += [self.directory.end_event.eq(1), self.intake.event_end.eq(1)]
            m.d.sync += self._open.eq(0)
            m.next = "IDLE"
            self._read_slot(m, 0)
            with m.If(self.settings.evict_at_event_end):
                self._start_sweep(m, Sweep.EVENT_END)
        with m.State("SWEEP"):
            # What a command selects is compared in a cycle of its own.
            with m.If(self._by_command & ~self._compared):
                self._read_slot(m, self._slot)
                m.d.sync += self._compared.eq(1)
            with m.Else():
                m.d.sync += self._compared.eq(0)
                self._read_slot(m, following)
                self._sweep_one(m)
                with m.If(following == config.slots):
                    m.d.comb += self.command.done.eq(self._by_command)
                    m.next = "IDLE"

    def _compare(self, m):
        """Note whether the command selects the slot that is read."""
        keys = [self.directory.rows.row_keys[lane] for lane in range(self._config.scan_lanes)]
        layer_matches = self._of_lane(key.layer == self.command.layer for key in keys)
        expert_matches = self._of_lane(key.expert == self.command.expert for key in keys)
        key_matches = layer_matches & expert_matches & ~self._key_wrong
        with m.Switch(self.command.kind):
            with m.Case(Command.INVALIDATE_ALL):
                m.d.sync += self._selected.eq(1)
            with m.Case(Command.INVALIDATE_LAYER):
                m.d.sync += self._selected.eq(layer_matches | self._key_wrong)
            with m.Case(Command.INVALIDATE_KEY):
                m.d.sync += self._selected.eq(key_matches | self._key_wrong)
            with m.Default():
                m.d.sync += self._selected.eq(key_matches)

    def _sweep_one(self, m):
        flags = self._flags
        given_up = Signal()
        with m.Switch(self._sweep_kind):
            with m.Case(Sweep.EVENT_END):
                m.d.comb += given_up.eq(~self._traits.coming & ~flags.sticky)
            with m.Case(Sweep.RENEW):
                m.d.comb += given_up.eq(1)
            with m.Case(Sweep.SCRUB):
                m.d.comb += given_up.eq(self._slot_wrong)
            with m.Case(Sweep.INVALIDATE):
                m.d.comb += given_up.eq(self._selected)
            with m.Default(), m.If(self._selected & self._traits.resident):
                m.d.sync += self.blocked.eq(0)
                self._log_slot(m, Kind.PIN, self._sweep_kind)
                self._set_flags(m, sticky=self._sweep_kind == Sweep.PIN)
        with m.If(given_up & self._traits.resident & ~flags.pinned):
            self._free(m, self._sweep_kind)
        with m.Elif(given_up & self._traits.undemanded):
            self._abort(m, self._sweep_kind)

    def _flush(self, m):
        """Empty the queue at once, so that the counters' laws hold in every cycle."""
        with m.State("FLUSH"):
            self._log(m, Kind.FLUSH, expert=self.queue.level)
            m.d.comb += [self.queue.flush.eq(1), self.command.done.eq(1)]
            m.next = "IDLE"

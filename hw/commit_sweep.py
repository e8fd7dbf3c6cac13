"""Commits that go over all slots, and the commands that ask for them."""

from amaranth import Cat, Signal

from .commands import Command
from .commit_actions import CommitActions
from .records import Kind, Sweep
from .residency import SlotState


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
                self._start_sweep(m, self._sweep_of_command(m))

    def _sweep_of_command(self, m):
        kind = Signal(Sweep, init=Sweep.INVALIDATE)
        with m.Switch(self.command.kind):
            with m.Case(Command.PIN_KEY):
                m.d.comb += kind.eq(Sweep.PIN)
            with m.Case(Command.UNPIN_KEY):
                m.d.comb += kind.eq(Sweep.UNPIN)
        return kind

    def _start_sweep(self, m, kind):
        """Begin with slot 0, which is the one asked for where nobody asks for another."""
        m.d.sync += self._sweep_kind.eq(kind)
        m.next = "SWEEP"

    def _sweep(self, m):
        config = self._config
        with m.State("END"):
            self._log(m, Kind.END, deadline=self.current)
            m.d.comb += [self.directory.end_event.eq(1), self.intake.event_end.eq(1)]
            m.d.sync += self._open.eq(0)
            m.next = "IDLE"
            with m.If(self.settings.evict_at_event_end):
                self._start_sweep(m, Sweep.EVENT_END)
        with m.State("SWEEP"):
            following = Signal(config.slot_bits + 1)
            m.d.comb += following.eq(self._slot + 1)
            self._read_slot(m, following)
            self._sweep_one(m)
            with m.If(following == config.slots):
                own = (self._sweep_kind == kind for kind in (Sweep.EVENT_END, Sweep.RENEW, Sweep.SCRUB))
                m.d.comb += self.command.done.eq(~Cat(own).any())
                m.next = "IDLE"

    def _sweep_one(self, m):
        flags = self._flags
        layer_matches = self._key.layer == self.command.layer
        key_matches = layer_matches & (self._key.expert == self.command.expert) & ~self._key_wrong
        selected = Signal()
        with m.Switch(self.command.kind):
            with m.Case(Command.INVALIDATE_ALL):
                m.d.comb += selected.eq(1)
            with m.Case(Command.INVALIDATE_LAYER):
                m.d.comb += selected.eq(layer_matches | self._key_wrong)
            with m.Case(Command.INVALIDATE_KEY):
                m.d.comb += selected.eq(key_matches | self._key_wrong)
            with m.Default():
                m.d.comb += selected.eq(key_matches)
        resident, free_to_go = flags.state == SlotState.RESIDENT, ~flags.pinned
        with m.Switch(self._sweep_kind):
            with m.Case(Sweep.EVENT_END), m.If(free_to_go & ~self._stamp_is_coming & ~flags.sticky):
                self._empty(m, Sweep.EVENT_END)
            with m.Case(Sweep.RENEW), m.If(free_to_go):
                self._empty(m, Sweep.RENEW)
            with m.Case(Sweep.SCRUB), m.If(self._slot_wrong & free_to_go):
                self._empty(m, Sweep.SCRUB)
            with m.Case(Sweep.INVALIDATE), m.If(selected & free_to_go):
                self._empty(m, Sweep.INVALIDATE)
            with m.Default(), m.If(selected & resident):
                m.d.sync += self.blocked.eq(0)
                self._log_slot(m, Kind.PIN, self._sweep_kind)
                self._set_flags(m, sticky=self._sweep_kind == Sweep.PIN)

    def _empty(self, m, why):
        """Give the slot's expert up, complete or in flight."""
        with m.If(self._flags.state == SlotState.RESIDENT):
            self._free(m, why)
        with m.Elif(self._flags.state == SlotState.FILLING):
            self._abort(m, why)

    def _flush(self, m):
        """Empty the queue at once, so that the counters' laws hold in every cycle."""
        with m.State("FLUSH"):
            self._log(m, Kind.FLUSH, expert=self.queue.level)
            m.d.comb += [self.queue.flush.eq(1), self.command.done.eq(1)]
            m.next = "IDLE"

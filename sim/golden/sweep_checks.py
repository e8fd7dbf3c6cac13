"""Records of sweeps, of the abort policy and of pins by command: free, abort, pin."""

from ...hw.records import AbortPolicy, Kind, Record, Sweep
from .commands import Command
from .directory import FILLING, RESIDENT
from .unit_state import UnitState


class SweepChecks(UnitState):
    """Check FREE, ABORT and PIN."""

    def _free(self, record: Record) -> None:
        self._sweep(record)

    def _abort(self, record: Record) -> None:
        if record.outcome == Sweep.WRONG and not (self._due and self._due[0][0] == Kind.ABORT):
            self._abort_wrong(record)
        else:
            self._sweep(record)

    def _abort_wrong(self, record: Record) -> None:
        """Check an abort by policy; whether enough of the request was left is taken as given."""
        if self.settings.abort_policy == AbortPolicy.NEVER or self._previous_kind > Kind.EXPIRE:
            self._refuse("an abort by policy only at a close, and where the policy says so", record)
        slot = self._prefetch_slot
        if slot is None or slot.state is not FILLING or slot.pinned or slot.stamp > self.current:
            self._refuse("no abort: no unfinished prefetch request that its event did without", record)
        self._compare(Record(Kind.ABORT, Sweep.WRONG, slot.layer, slot.expert, slot.index), record)
        self._abort_fill(slot)

    def _sweep(self, record: Record) -> None:
        if not self._due and record.outcome in (Sweep.INVALIDATE, Sweep.RENEW):
            reason = Sweep(record.outcome)
            if not self._commands.take(Command(Kind.FREE, reason)):
                self._refuse(f"no {reason.name} that was not commanded", record)
            self._start_sweep((s for s in self._directory.slots if not s.pinned), reason)
        if not self._due or self._due[0][0] != record.kind:
            self._refuse("no sweep of a slot that is to stay", record)
        slot, reason = self._due[0][1]
        self._compare(Record(record.kind, reason, slot.layer, slot.expert, slot.index), record)
        self._due.popleft()
        if record.kind == Kind.ABORT:
            self._abort_fill(slot)
        else:
            self._end_unused(slot, "useless")
            self._free_slot(slot)
            self._wake_miss()

    def _pin(self, record: Record) -> None:
        if not self._commands.take(Command(Kind.PIN, record.outcome, record.layer, record.expert)):
            self._refuse("no PIN that was not commanded", record)
        slot = self._directory.find(record.layer, record.expert)
        if slot is None or slot.state is not RESIDENT:
            self._refuse("no PIN: this expert is not resident", record)
        self._compare(Record(Kind.PIN, record.outcome, slot.layer, slot.expert, slot.index), record)
        slot.sticky = record.outcome == Sweep.PIN
        self._wake_miss()

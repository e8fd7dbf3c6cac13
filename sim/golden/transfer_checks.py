"""Records of transfers: a slot is sought, a transfer ends, an aborted one has drained."""

from ...hw.records import Fill, GrantStatus, Issue, Kind, Record
from .directory import DRAINING, FILLING, RESIDENT, Slot
from .mismatch import describe
from .open_event import OpenEvent
from .unit_state import UnitState


class TransferChecks(UnitState):
    """Check ISSUE, FILL and DRAIN."""

    def _issue(self, record: Record) -> None:
        if self._open is not None and self._open.misses:
            self._issue_demand(self._open, record)
        elif self._queue.entries:
            self._issue_prefetch(record)
        else:
            self._refuse("no ISSUE: neither a miss nor a prefetch is queued", record)

    def _issue_demand(self, event: OpenEvent, record: Record) -> None:
        if event.waits:
            self._refuse("no ISSUE: the oldest miss waits for a FILL, DRAIN, RELEASE, FREE or PIN", record)
        layer, expert, current = event.layer, event.misses[0], self.current
        outcome, slot = self._directory.search_demand(current, layer)
        index = slot.index if slot else 0
        self._compare(Record(Kind.ISSUE, outcome, layer, expert, index, deadline=current), record)
        if slot is None:
            event.waits = True
        elif outcome == Issue.ABORT:
            event.waits = True
            self._abort_fill(slot)
        else:
            event.misses.popleft()
            self._end_unused(slot, "useless")
            self._directory.allocate(slot, layer, expert, current)
            slot.pinned = True
            slot.status = GrantStatus.MISS

    def _issue_prefetch(self, record: Record) -> None:
        deadline, _, layer, expert, source = self._queue.entries[0]
        present = self._directory.find(layer, expert)
        if present is not None:
            record_due = Record(Kind.ISSUE, Issue.PRESENT, layer, expert, present.index, source=1, deadline=deadline)
            self._compare(record_due, record)
            self._queue.pop_first()
            present.stamp = deadline
            self._statistics.count_prefetch("resident", layer, source)
            return
        outcome, slot = self._directory.search_prefetch(self.current, self._layer, deadline)
        index = slot.index if slot else 0
        self._compare(Record(Kind.ISSUE, outcome, layer, expert, index, source=1, deadline=deadline), record)
        self._queue.pop_first()
        if slot is None:
            self._statistics.count_prefetch("no_victim", layer, source)
            return
        self._statistics.count_prefetch("issued", layer, source)
        self._end_unused(slot, "useless")
        self._directory.allocate(slot, layer, expert, deadline)
        slot.unused = True
        slot.source = source
        self._prefetch_slot = slot

    def _fill(self, record: Record) -> None:
        slot = self._slot_in(record, FILLING, "a slot in flight")
        outcome = Fill.FAILED if record.outcome == Fill.FAILED else Fill.DONE
        self._compare(Record(Kind.FILL, outcome, slot.layer, slot.expert, slot.index), record)
        self._wake_miss()
        done = outcome == Fill.DONE
        if slot.pinned:
            status = GrantStatus(slot.status) if done else GrantStatus.ERROR
            self._grant(self._require_event(record), slot, status)
        if done:
            slot.state = RESIDENT
            slot.filled_at = self._cycle
        else:
            self._end_unused(slot, "failed")
            self._free_slot(slot)

    def _drain(self, record: Record) -> None:
        slot = self._slot_in(record, DRAINING, "an aborted slot")
        self._compare(Record(Kind.DRAIN, slot=slot.index), record)
        self._free_slot(slot)
        self._wake_miss()

    def _slot_in(self, record: Record, state: int, rule: str) -> Slot:
        """Return the record's slot, which must be in this state."""
        slots = self._directory.slots
        if record.slot >= len(slots) or slots[record.slot].state != state:
            self._fail("slot", rule, describe(record))
        return slots[record.slot]

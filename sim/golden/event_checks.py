"""Records of an event's course: close, classification, expiry, release, end."""

from ...hw.records import Class, Expiry, GrantStatus, Kind, Record, Sweep
from ..predictors.interface import PredictorEvent
from .directory import FILLING, Slot
from .event import Event
from .open_event import OpenEvent
from .unit_state import UnitState


class EventChecks(UnitState):
    """Check CLOSE, CLASSIFY, EXPIRE, RELEASE and END."""

    def _close(self, record: Record) -> None:
        if self._open is not None:
            self._refuse("the open event's END before the next CLOSE", record)
        if not self._offered:
            self._refuse("no CLOSE of an event that was not sent", record)
        event = self._offered.popleft()
        start, members, number = int(event.sequence_start), len(event.members), self.current + 1
        self._compare(Record(Kind.CLOSE, start, event.layer, members, deadline=number), record)
        self.current = number
        self.faults += event.faults
        self._layer = event.layer
        self._open = OpenEvent(event)
        self._budget.close(number)
        self._hints.close(event.layer)
        if self._predictor is not None:
            seen = PredictorEvent(number, event.layer, event.sequence_start, event.members)
            self._lists.add(self._predictor.step(seen))
        self._start_classification(event, self._open)

    def _start_classification(self, event: Event, opened: OpenEvent) -> None:
        """Let a record be due for each member, and for each queued prefetch that meets its event."""
        self._due.extend((Kind.CLASSIFY, expert) for expert in event.members)
        for entry in self._queue.entries:
            if entry.deadline > self.current:
                break
            promoted = opened.has(entry.layer, entry.expert)
            self._due.append((Kind.EXPIRE, Expiry.PROMOTED if promoted else Expiry.EXPIRED))
        if not event.members:
            self._due.append((Kind.END, None))

    def _classify(self, record: Record) -> None:
        event = self._require_event(record)
        if not self._due:
            self._refuse("no CLASSIFY: all members are classified", record)
        expert = self._due[0][1]
        slot = self._directory.find(event.layer, expert)
        found = self._class(slot)
        index = slot.index if slot else 0
        self._compare(Record(Kind.CLASSIFY, found, event.layer, expert, index), record)
        self._due.popleft()
        self._statistics.count_class(found, event.layer, slot.source if slot else 0)
        if slot is None:
            event.misses.append(expert)
            return
        if slot.unused and found != Class.LATE and self._cycle is not None and slot.filled_at is not None:
            self._statistics.slacks.append(self._cycle - slot.filled_at)
        slot.pinned = True
        slot.released = slot.unused = False
        if found == Class.LATE:
            slot.status = GrantStatus.LATE
        else:
            self._grant(event, slot, GrantStatus.HIT)

    def _class(self, slot: Slot | None) -> Class:
        if slot is None:
            return Class.MISS
        if slot.state is FILLING:
            return Class.LATE
        if not slot.unused:
            return Class.HIT_REUSE
        return Class.HIT_ON_TARGET if slot.stamp == self.current else Class.HIT_LATER_USE

    def _expire(self, record: Record) -> None:
        if not self._due:
            self._refuse("no EXPIRE: no queued prefetch has met its event", record)
        outcome = self._due[0][1]
        deadline, score, layer, expert, source = self._queue.entries[0]
        self._compare(Record(Kind.EXPIRE, outcome, layer, expert, 0, score, source, deadline), record)
        self._due.popleft()
        self._queue.pop_first()
        name = "promoted" if outcome == Expiry.PROMOTED else "expired"
        self._statistics.count_prefetch(name, layer, source)

    def _release(self, record: Record) -> None:
        event = self._require_event(record)
        if record.expert not in event.granted:
            self._fail("expert", "one that is granted and not released", str(record.expert))
        grant, slot = event.granted[record.expert]
        self._compare(Record(Kind.RELEASE, grant.status, 0, grant.expert, grant.slot), record)
        del event.granted[record.expert]
        tick = self._directory.next_tick()
        if grant.status != GrantStatus.ERROR:
            slot.released = True
            slot.tick = tick
        self._wake_miss()
        event.unreleased -= 1
        if event.unreleased == 0:
            self._due.append((Kind.END, None))

    def _end(self, record: Record) -> None:
        if not self._due:
            self._refuse("no END before the last release", record)
        self._compare(Record(Kind.END, deadline=self.current), record)
        self._due.popleft()
        self._open = None
        slots = self._directory.slots
        for slot in slots:
            slot.pinned = slot.released = False
        if self.settings.evict_at_event_end:
            self._start_sweep(
                (slot for slot in slots if not slot.sticky and slot.stamp <= self.current), Sweep.EVENT_END
            )

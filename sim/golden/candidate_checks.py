"""Records of the candidate filter and of the prefetch queue: candidate, flush."""

from ...hw.records import Filter, Kind, Record, Source
from .commands import Command
from .directory import RESIDENT, Slot
from .prefetch_queue import QueueEntry
from .unit_state import UnitState


class CandidateChecks(UnitState):
    """Check CANDIDATE and FLUSH."""

    def _candidate(self, record: Record) -> None:
        entry = self._next_candidate(record)
        deadline, score, layer, expert, source = entry
        outcome, slot = self._filter(entry, record)
        dropped = None
        if outcome == Filter.QUEUED:
            dropped = self._queue.insert(entry)
            if dropped is not None:
                outcome = Filter.OVERFLOW if dropped is entry else Filter.QUEUED_DROPPING
        index = slot.index if slot else 0
        self._compare(Record(Kind.CANDIDATE, outcome, layer, expert, index, score, source, deadline), record)
        self._statistics.count_candidate(outcome, layer, source)
        if slot is not None:
            slot.stamp = deadline
        if outcome >= Filter.QUEUED:
            self._budget.spend(deadline)
        if dropped is not None:
            self._statistics.count_prefetch("overflow", dropped.layer, dropped.source)

    def _next_candidate(self, record: Record) -> QueueEntry:
        """Return the next candidate of the source that the record names."""
        found = QueueEntry(record.deadline, record.score, record.layer, record.expert, record.source)
        entry = None
        if record.source == Source.PREDICTOR:
            entry = self._lists.take(found)
        elif record.source == Source.HINT:
            entry = self._hints.take(found)
        if entry is None:
            self._refuse("no CANDIDATE: this source has none", record)
        return entry

    def _filter(self, entry: QueueEntry, record: Record) -> tuple[Filter, Slot | None]:
        """Return what becomes of a candidate, QUEUED for all that reach the queue, and its slot if there."""
        if not self.current < entry.deadline <= self.current + self.settings.horizon:
            return Filter.EXPIRED, None
        if self.may_be_quiesced and record.outcome == Filter.EXPIRED:
            return Filter.EXPIRED, None
        slot = self._directory.find(entry.layer, entry.expert)
        if slot is not None:
            return (Filter.RESIDENT if slot.state is RESIDENT else Filter.IN_FLIGHT), slot
        if self._queue.holds(entry.layer, entry.expert):
            return Filter.IN_QUEUE, None
        if self._budget.is_spent(entry.deadline):
            return Filter.OVER_BUDGET, None
        return Filter.QUEUED, None

    def _flush(self, record: Record) -> None:
        if not self._commands.take(Command(Kind.FLUSH)):
            self._refuse("no FLUSH that was not commanded", record)
        self._compare(Record(Kind.FLUSH, expert=len(self._queue)), record)
        for entry in self._queue.flush():
            self._statistics.count_prefetch("flushed", entry.layer, entry.source)

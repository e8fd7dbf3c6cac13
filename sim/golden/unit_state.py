"""What the checks of all kinds of records share: the unit's state and the changes that several make."""

from collections import deque
from collections.abc import Iterable

from ...hw.records import GrantStatus, Kind, Record, Sweep
from ..predictors.interface import Predictor
from .candidates import Budget, HintStream, PredictorLists
from .commands import Commands
from .directory import DRAINING, FILLING, FREE, RESIDENT, Directory, Slot
from .event import Event
from .open_event import Grant, OpenEvent
from .prefetch_queue import PrefetchQueue
from .scoreboard import Scoreboard
from .settings import UnitSettings
from .statistics import Statistics


class UnitState(Scoreboard):
    """The unit between two records. Parameters and public attributes are those of `UnitModel`."""

    def __init__(self, settings: UnitSettings, predictor: Predictor | None):
        super().__init__()
        self.settings = settings
        self.may_be_quiesced = False
        self.faults = 0
        self.expected_grants: deque[Grant] = deque()
        self._predictor = predictor
        self._offered: deque[Event] = deque()
        self._commands = Commands()
        self._open: OpenEvent | None = None
        self._layer = 0  # of the last event that closed
        self._directory = Directory(settings.n_slots, settings.n_layers, settings.victim_policy)
        self._queue = PrefetchQueue(settings.queue_depth)
        self._budget = Budget(settings.budget)
        self._lists = PredictorLists()
        self._hints = HintStream(settings.n_layers, settings.n_experts)
        self._prefetch_slot: Slot | None = None  # of the DMA's last prefetch request
        self._statistics = Statistics(settings.n_layers)

    def _require_event(self, record: Record) -> OpenEvent:
        if self._open is None:
            self._refuse("an open event", record)
        return self._open

    def _grant(self, event: OpenEvent, slot: Slot, status: GrantStatus) -> None:
        grant = Grant(event.layer, slot.expert, slot.index, status)
        event.granted[slot.expert] = grant, slot
        self.expected_grants.append(grant)

    def _end_unused(self, slot: Slot, name: str) -> None:
        """Count how the slot's prefetch has ended, if it was never used."""
        if slot.unused:
            slot.unused = False
            self._statistics.count_prefetch(name, slot.layer, slot.source)

    def _abort_fill(self, slot: Slot) -> None:
        slot.state = DRAINING
        self._end_unused(slot, "aborted")

    def _free_slot(self, slot: Slot) -> None:
        slot.state = FREE
        slot.pinned = slot.released = slot.sticky = False

    def _wake_miss(self) -> None:
        """Let a waiting miss search again."""
        if self._open is not None:
            self._open.waits = False

    def _start_sweep(self, slots: Iterable[Slot], reason: Sweep) -> None:
        """Let a record be due for each of these slots that holds or awaits an expert."""
        for slot in slots:
            if slot.state is RESIDENT:
                self._due.append((Kind.FREE, (slot, reason)))
            elif slot.state is FILLING:
                self._due.append((Kind.ABORT, (slot, reason)))

"""Candidates on their way to the filter: the predictor's lists, the hints, and the budget."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from ...hw.records import Source
from ..predictors.interface import Candidate
from .prefetch_queue import QueueEntry


class HintBeat(NamedTuple):
    """An expert that is expected in the next event of `layer`."""

    layer: int
    expert: int
    score: int = 0
    last: bool = False


class PredictorLists:
    """What the predictor named at each close, in order; it may fall behind by several events.

    The unit may cut a list short when the next event begins, so a younger list may start before the older
    has been used up; the older is then gone.
    """

    __slots__ = ("_lists",)

    def __init__(self) -> None:
        self._lists: deque[deque[QueueEntry]] = deque()

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Take the list of the event that has just closed."""
        while self._lists and not self._lists[0]:
            self._lists.popleft()
        self._lists.append(
            deque(
                QueueEntry(named.target_event, named.score, named.layer, named.expert, named.source)
                for named in candidates
            )
        )

    def take(self, found: QueueEntry) -> QueueEntry | None:
        """Return the candidate that comes next, `found` itself where it may; None if there is none."""
        following = None
        for index, candidates in enumerate(self._lists):
            if not candidates:
                continue
            following = candidates[0]
            if following == found:
                for _ in range(index):
                    self._lists.popleft()
                return candidates.popleft()
        return following


class HintStream:
    """Hints in the order in which they were sent; each comes out of the filter as one candidate.

    A hint's target is the next event of its layer after the event that was the last to close when the unit
    took the hint. When that was cannot be seen in the log: not before the end of the event before the one
    whose router beats were sent before the hint, and not after its own record.
    """

    __slots__ = ("_hints", "_layers", "_n_experts", "_n_layers", "faults")

    def __init__(self, n_layers: int, n_experts: int):
        self._n_layers = n_layers
        self._n_experts = n_experts
        self._hints: deque[tuple[int, HintBeat]] = deque()
        self._layers = [n_layers - 1]  # of event -1, so that layer 0 is expected first
        self.faults = 0

    def __len__(self) -> int:
        return len(self._hints)

    def close(self, layer: int) -> None:
        """Note the layer of the event that has just closed."""
        self._layers.append(layer)

    def add(self, beat: HintBeat, sent_after: int) -> None:
        """Take a hint that was sent after the router beats of event `sent_after`; drop a faulty one."""
        if beat.layer >= self._n_layers or beat.expert >= self._n_experts:
            self.faults += 1
        else:
            self._hints.append((sent_after, beat))

    def take(self, found: QueueEntry) -> QueueEntry | None:
        """Return the next hint; its target is the one found if that is legal, else the latest legal one."""
        current = len(self._layers) - 2
        if not self._hints or self._hints[0][0] > current + 1:
            return None
        sent_after, hint = self._hints.popleft()
        legal = current
        for event in range(max(sent_after - 1, -1), current + 1):
            legal = event + 1 + (hint.layer - self._layers[event + 1] - 1) % self._n_layers
            if legal == found.deadline:
                break
        return QueueEntry(legal, hint.score, hint.layer, hint.expert, Source.HINT)


class Budget:
    """Candidates queued so far for each coming event."""

    __slots__ = ("_limit", "_queued")

    def __init__(self, limit: int):
        self._limit = limit
        self._queued: dict[int, int] = {}

    def close(self, event: int) -> None:
        """Forget an event that has closed."""
        self._queued.pop(event, None)

    def is_spent(self, target: int) -> bool:
        """Return whether no more may be queued for `target`."""
        return self._queued.get(target, 0) >= self._limit

    def spend(self, target: int) -> None:
        """Count one more for `target`."""
        self._queued[target] = self._queued.get(target, 0) + 1

"""The golden model of a unit that comes to rest before anything is asked of it again: it says what happens, untold."""

from __future__ import annotations

from collections.abc import Iterable

from ..hw.records import Fill, Filter, Issue, Kind, Record
from .golden.event import RouterBeat
from .golden.open_event import Grant
from .golden.settings import UnitSettings
from .golden.unit_model import UnitModel
from .predictors.interface import Candidate, Predictor, PredictorEvent


class DependsOnTiming(Exception):  # noqa: N818 - no error: such an event is not played
    """The outcome of an event depends on what comes first."""


class RememberingPredictor:
    """A golden predictor that remembers what it named last."""

    def __init__(self, predictor: Predictor):
        self._predictor = predictor
        self.last: list[Candidate] = []

    def step(self, event: PredictorEvent) -> list[Candidate]:
        """Return what the predictor names."""
        self.last = list(self._predictor.step(event))
        return self.last


class CalmUnit(UnitModel):
    """The golden model, asked what happens instead of told: takes kinds in the order of a unit at rest.

    All misses of an event get their slots before any prefetch does, all transfers end before any grant is given back.
    """

    def __init__(self, settings: UnitSettings, predictor: RememberingPredictor | None, *, holds: bool):
        super().__init__(settings, predictor)
        self._named = predictor
        self._holds = holds
        self._log: list[Record] = []

    def _compare(self, expected: Record, found: Record) -> None:
        """Take the record that the model expects for the log's."""
        self._log.append(expected)

    def open(self, beats: list[RouterBeat], *, failing: int | None, quiesced: bool) -> list[Grant]:
        """Play an event up to rest and return its grants; the transfer of expert `failing` fails."""
        self.offer_event(beats)
        self.check(Record(Kind.CLOSE))
        while self._due:
            self.check(Record(self._due[0][0]))
        transfers, victims = self._demands()
        coming = {(named.layer, named.expert) for named in self._named.last} if self._named else set()
        if victims & coming:
            raise DependsOnTiming
        if not self._holds:
            transfers += self._prefetches(quiesced)
        for slot, expert in transfers:
            failed = expert == failing
            self.check(Record(Kind.FILL, Fill.FAILED if failed else Fill.DONE, slot=slot))
        grants = list(self.expected_grants)
        self.expected_grants.clear()
        return grants

    def close(self, grants: Iterable[Grant], *, quiesced: bool) -> None:
        """Give the grants back and play up to rest."""
        for grant in grants:
            self.check(Record(Kind.RELEASE, expert=grant.expert))
        while self._due:
            self.check(Record(self._due[0][0]))
        if self._holds:
            for slot, _ in self._prefetches(quiesced):
                self.check(Record(Kind.FILL, Fill.DONE, slot=slot))

    def _demands(self) -> tuple[list[tuple[int, int]], set[tuple[int, int]]]:
        """Find slots for all misses; return (slot, expert) of the transfers, and the keys that gave way."""
        transfers, victims = [], set()
        while self._open is not None and self._open.misses:
            held = {slot.index: (slot.layer, slot.expert) for slot in self._directory.slots}
            self.check(Record(Kind.ISSUE))
            issued = self._log[-1]
            if issued.outcome not in (Issue.FREE, Issue.EVICT):
                raise DependsOnTiming
            if issued.outcome == Issue.EVICT:
                victims.add(held[issued.slot])
            transfers.append((issued.slot, issued.expert))
        return transfers, victims

    def _prefetches(self, quiesced: bool) -> list[tuple[int, int]]:
        """Filter what the predictor named and find slots for it; return (slot, -1) of the transfers."""
        self.may_be_quiesced = quiesced
        outcome = Filter.EXPIRED if quiesced else Filter.QUEUED
        for target, layer, expert, score, source, _ in self._named.last if self._named else ():
            self.check(Record(Kind.CANDIDATE, outcome, layer, expert, 0, score, source, target))
        transfers = []
        while self._queue.entries:
            self.check(Record(Kind.ISSUE))
            if self._log[-1].outcome not in (Issue.FREE, Issue.EVICT):
                raise DependsOnTiming
            transfers.append((self._log[-1].slot, -1))
        return transfers

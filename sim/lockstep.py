"""The golden model beside a running RTL: reads the bench's log line by line and stops at the first difference."""

from collections import deque

from ..hw.counter_names import with_aliases
from ..hw.records import AbortPolicy, Fill, GrantStatus, Issue, Kind, Record, VictimPolicy
from .golden.candidates import HintBeat
from .golden.event import RouterBeat
from .golden.laws import check_laws
from .golden.mismatch import Mismatch
from .golden.scoreboard import HISTORY
from .golden.settings import UnitSettings
from .golden.unit_model import UnitModel
from .predictors import predictor_class
from .predictors.interface import Predictor
from .replay_events import ReplayEvent
from .replay_result import ReplayJob
from .wire import decode_grant


def golden_settings(job: ReplayJob) -> UnitSettings:
    """Return what the golden unit model must know of a job."""
    settings = job.settings
    return UnitSettings(
        n_layers=settings["n_layers"],
        n_experts=settings["n_experts"],
        n_slots=settings["n_slots"],
        top_k=job.top_k,
        queue_depth=job.unit.queue_depth,
        horizon=job.unit.horizon,
        budget=settings["budget"],
        hints=bool(settings.get("hints", 0)),
        victim_policy=VictimPolicy(settings.get("victim_policy", 0)),
        abort_policy=AbortPolicy(settings.get("abort_policy", 0)),
        evict_at_event_end=bool(settings.get("evict_at_event_end", 0)),
        mapping_window=job.unit.mapping_window,
    )


def golden_predictor(job: ReplayJob) -> Predictor | None:
    """Return the golden twin of the job's predictor, with its tables loaded."""
    if job.predictor is None:
        return None
    settings = job.settings
    geometry = settings["n_layers"], settings["n_experts"]
    predictor = predictor_class(job.predictor)
    if job.predictor == "weights":
        tables = None if job.weight_profile is None else job.weight_profile.tables
        return predictor(*geometry, job.unit.weight_rules, min_score=settings["min_score"], tables=tables)
    return predictor(*geometry, settings["row_entries"], min_score=settings["min_score"], profile=job.profile)


ALLOCATES = (Issue.FREE, Issue.EVICT, Issue.OWN_RELEASED)
EVICTS = (Issue.EVICT, Issue.OWN_RELEASED)


class Lockstep:
    """Checks a replay's log against the golden model as it grows.

    `events` closed so far, `records` checked, and `step_ends`, the cycle in which each step's last event ended.
    """

    def __init__(self, job: ReplayJob):
        self.model = UnitModel(golden_settings(job), golden_predictor(job))
        self.events = 0
        self.records = 0
        self.step_ends: list[int] = []
        self._job = job
        self._offered = 0
        self._rest = ""
        self._last: deque[Record] = deque(maxlen=HISTORY)
        self._counted = dict.fromkeys(("events", "demand_issued", "demand_failed", "error_grants", "evictions"), 0)
        self._fills = self._broken_transfers = 0

    def feed(self, text: str) -> None:
        """Check the log's next piece; a line cut in two waits for its other half. Raises `Mismatch`."""
        lines = (self._rest + text).split("\n")
        self._rest = lines.pop()
        for line in lines:
            kind, cycle, word = line.split()
            if kind == "C":
                self._check(Record.decode(int(word, 16)), int(cycle))
            else:
                self.model.check_grant(*decode_grant(self._job.unit, int(word, 16)))

    def hang(self, cycles: int) -> Mismatch:
        """Return the verdict on a unit that has committed nothing for `cycles`."""
        return self._verdict("liveness", "a commit", f"none for {cycles} cycles")

    def _verdict(self, field: str, expected: str, found: str) -> Mismatch:
        return Mismatch(
            field, expected, found, event=self.model.current, index=self.records, cycle=None, history=self._last
        )

    def finish(self, counters: dict[str, int]) -> None:
        """Compare the unit's counters with the model's, and assert the laws on both.

        Raises `Mismatch` or `LawBroken`.
        """
        expected = self.model.finish() | self._counted
        self._check_beats(counters)
        found = with_aliases(counters)
        for name, value in expected.items():
            if found[name] != value:
                raise self._verdict(f"counter {name}", str(value), str(found[name]))
        check_laws(found)

    def _check(self, record: Record, cycle: int) -> None:
        if record.kind == Kind.CLOSE:
            self._offer()
            self.events += 1
        self.model.check(record, cycle)
        self.records += 1
        self._last.append(record)
        self._count(record)
        if record.kind == Kind.END and self._ends_step():
            self.step_ends.append(cycle)

    def _count(self, record: Record) -> None:
        """Count what follows from records alone and is no matter of the golden model."""
        counted = self._counted
        if record.kind == Kind.CLOSE:
            counted["events"] += 1
        elif record.kind == Kind.ISSUE:
            counted["demand_issued"] += record.source == 0 and record.outcome in ALLOCATES
            counted["evictions"] += record.outcome in EVICTS
        elif record.kind == Kind.FILL:
            self._fills += 1
            self._broken_transfers += record.outcome != Fill.DONE
        elif record.kind == Kind.DRAIN:
            self._broken_transfers += 1
        elif record.kind == Kind.RELEASE and record.outcome == GrantStatus.ERROR:
            counted["error_grants"] += 1
            counted["demand_failed"] += 1

    def _check_beats(self, counters: dict[str, int]) -> None:
        """Require every beat of every expert once, where no transfer broke off and no burst came twice."""
        if self._broken_transfers or counters["retries"]:
            return
        expected = self._fills * self._job.settings["expert_beats"]
        found = counters["demand_beats"] + counters["prefetch_beats"] + counters["discarded_beats"]
        if found != expected:
            raise self._verdict("beats", f"{expected} = {self._fills} fills", str(found))

    def _ends_step(self) -> bool:
        events = self._job.events
        return self.events == len(events) or events[self.events].step_first

    def _offer(self) -> None:
        """Offer the event that closes now, and the hints that follow it on their port."""
        if self._offered >= len(self._job.events):
            return
        event = self._job.events[self._offered]
        self._offered += 1
        self.model.offer_event(_router_beats(event))
        self.model.offer_hints(HintBeat(*hint) for hint in event.hints)


def _router_beats(event: ReplayEvent) -> list[RouterBeat]:
    final = len(event.beats) - 1
    return [
        RouterBeat(event.layer, beat.expert, beat.score, beat.token_last, place == final, event.sequence_start)
        for place, beat in enumerate(event.beats)
    ]

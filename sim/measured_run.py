"""A replay on the cycle model without its warm-up, whole and sequence by sequence."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from ..hw.counter_names import LAWS, with_aliases
from .all_resident import all_resident_cycles
from .event_columns import EventColumns
from .golden.laws import check_laws
from .replay_result import ReplayJob, ReplayResult
from .replay_run import Run
from .table_traffic import bits_of_events
from .workload import Workload

BUCKETS = LAWS["cycles"]


@dataclass(frozen=True)
class Measure:
    """Where a replay is measured: `marks` are events, ascending; the first ends the warm-up, the last is the end.

    Between two marks lies what the trace holds of one sequence (with a batch: of a group) after the warm-up. `steps`
    and `tokens` count those of each part, `all_resident` the cycles of the measured events with every expert resident.
    """

    warm_up: int
    marks: tuple[int, ...]
    steps: tuple[int, ...]
    tokens: tuple[int, ...]
    all_resident: int

    @classmethod
    def of(cls, events: EventColumns, workload: Workload, warm_up: int) -> "Measure":
        """Return the measure of events from step number `warm_up` on; there must be one."""
        step_events = np.flatnonzero(events.step_first)
        first = int(step_events[warm_up])
        starts = np.flatnonzero(events.sequence_start)
        marks = (first, *starts[starts > first].tolist(), len(events))
        parts = [(int(begin), int(end)) for begin, end in pairwise(marks)]
        return cls(
            warm_up=warm_up,
            marks=marks,
            steps=tuple(int(((step_events >= begin) & (step_events < end)).sum()) for begin, end in parts),
            tokens=tuple(cut_events(events, begin, end).tokens for begin, end in parts),
            all_resident=all_resident_cycles(cut_events(events, first, len(events)), workload),
        )


@dataclass(frozen=True)
class MeasuredRun(Run):
    """Figures of a part of a replay: `result` has its counters, differences of cumulative ones, and its step cycles."""

    tokens_counted: int = 0
    all_resident_counted: int = 0
    table_bits_counted: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of the part."""
        return self.tokens_counted

    @property
    def all_resident(self) -> int:
        """Cycles of the part with every expert resident."""
        return self.all_resident_counted

    @property
    def table_bits_moved(self) -> int:
        """Table bits read and written in the part."""
        return self.table_bits_counted


@dataclass(frozen=True)
class Measured:
    """A job's result `whole`, and the counters between two marks of `measure`, for each pair."""

    measure: Measure
    whole: ReplayResult
    parts: tuple[dict[str, int], ...]

    @cached_property
    def result(self) -> ReplayResult:
        """The result without the warm-up."""
        steps = self.whole.step_cycles[self.measure.warm_up :]
        return self.with_counts(np.ones(len(self.parts), np.int64), steps)

    @property
    def table_bits_moved(self) -> int:
        """Table bits read and written without the warm-up."""
        return int(bits_of_events(self.whole.job)[self.measure.marks[0] :].sum())

    @cached_property
    def part_cycles(self) -> tuple[int, ...]:
        """Cycles of each part."""
        return tuple(part["cycles"] for part in self.parts)

    def with_counts(self, counts: np.ndarray, step_cycles: list[int]) -> ReplayResult:
        """Return a result with each part's counters as often as `counts` says."""
        totals = (counts @ self._table).tolist()
        counters = dict(zip(self.parts[0], totals, strict=True))
        return replace(self.whole, counters=counters, cycles=counters["cycles"], step_cycles=step_cycles)

    @cached_property
    def _table(self) -> np.ndarray:
        return np.array([list(part.values()) for part in self.parts], np.int64)


def measure_on_model(job: ReplayJob, measure: Measure) -> Measured:
    """Replay a job on the cycle model and read its counters at each mark.

    A part's cycles are those of its steps, exactly. Its other counters are read when the last expert of the event
    before the mark is released: that event's last three cycles count behind the mark, taken from `outside` there, and
    beats of a transfer under way count where it ends.
    """
    # numba takes a second to import: only what replays on the model pays.
    from .cycle_model.engine import counters_of, result_of, run_machine
    from .cycle_model.machine import build_machine
    from .cycle_model.simulate import simulate

    machine = build_machine(job, logging=False)
    read = []
    for mark in measure.marks[:-1]:
        simulate(*machine, mark)
        read.append(with_aliases(counters_of(machine)))
    result = result_of(job, run_machine(job, machine), 0.0)
    read.append(result.counters)
    ends = np.cumsum([measure.warm_up, *measure.steps])
    cycles = [sum(result.step_cycles[begin:end]) for begin, end in pairwise(ends.tolist())]
    parts = tuple(_part(before, after, total) for (before, after), total in zip(pairwise(read), cycles, strict=True))
    return Measured(measure, result, parts)


def cut_events(events: EventColumns, begin: int, end: int) -> EventColumns:
    """Return events `begin` to `end` - 1, columns again, without making them one by one."""
    beats = slice(int(events.first_beat[begin]), int(events.first_beat[end]))
    hints = slice(int(events.first_hint[begin]), int(events.first_hint[end]))
    return EventColumns(
        layer=events.layer[begin:end],
        step_first=events.step_first[begin:end],
        sequence_start=events.sequence_start[begin:end],
        first_beat=events.first_beat[begin : end + 1] - beats.start,
        expert=events.expert[beats],
        score=events.score[beats],
        token_last=events.token_last[beats],
        first_hint=events.first_hint[begin : end + 1] - hints.start,
        hint_layer=events.hint_layer[hints],
        hint_expert=events.hint_expert[hints],
        hint_score=events.hint_score[hints],
    )


def _part(before: dict[str, int], after: dict[str, int], cycles: int) -> dict[str, int]:
    """Return what was counted between two readings."""
    counters = {name: after[name] - before[name] for name in after}
    counters["cycles"] = cycles
    counters["outside"] = cycles - sum(counters[name] for name in BUCKETS if name != "outside")
    check_laws(counters)
    return counters

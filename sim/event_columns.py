"""The events of a replay in columns: a sequence of `ReplayEvent` to Python, plain arrays to compiled code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ..traces.format import ABSENT, Trace
from .replay_events import Hint, ReplayEvent, RouterBeat, decode_steps, hint_scores_of, router_scores_of

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class EventColumns(Sequence[ReplayEvent]):
    """Event n has `layer[n]` and so on, beats `first_beat[n]` to `first_beat[n + 1]` of the beat columns; hints so too.

    A slice is columns again; an index and iteration give `ReplayEvent`.
    """

    layer: NDArray[np.uint8]
    step_first: NDArray[np.uint8]
    sequence_start: NDArray[np.uint8]
    first_beat: Ints
    expert: NDArray[np.uint16]
    score: NDArray[np.uint8]
    token_last: NDArray[np.uint8]
    first_hint: Ints
    hint_layer: NDArray[np.uint8]
    hint_expert: NDArray[np.uint16]
    hint_score: NDArray[np.uint8]

    @classmethod
    def of(cls, events: Iterable[ReplayEvent]) -> EventColumns:
        """Return the columns of any events."""
        if isinstance(events, EventColumns):
            return events
        events = list(events)
        beats = [beat for event in events for beat in event.beats]
        hints = [hint for event in events for hint in event.hints]
        return cls(
            layer=np.array([event.layer for event in events], np.uint8),
            step_first=np.array([event.step_first for event in events], np.uint8),
            sequence_start=np.array([event.sequence_start for event in events], np.uint8),
            first_beat=_firsts(np.array([len(event.beats) for event in events], np.int64)),
            expert=np.array([beat.expert for beat in beats], np.uint16),
            score=np.array([beat.score for beat in beats], np.uint8),
            token_last=np.array([beat.token_last for beat in beats], np.uint8),
            first_hint=_firsts(np.array([len(event.hints) for event in events], np.int64)),
            hint_layer=np.array([hint.layer for hint in hints], np.uint8),
            hint_expert=np.array([hint.expert for hint in hints], np.uint16),
            hint_score=np.array([hint.score for hint in hints], np.uint8),
        )

    def __len__(self) -> int:
        return len(self.layer)

    @overload
    def __getitem__(self, place: int) -> ReplayEvent: ...
    @overload
    def __getitem__(self, place: slice) -> EventColumns: ...
    def __getitem__(self, place: int | slice) -> ReplayEvent | EventColumns:
        if isinstance(place, slice):
            return EventColumns.of([self[index] for index in range(*place.indices(len(self)))])
        if place < 0:
            place += len(self)
        if not 0 <= place < len(self):
            raise IndexError(place)
        beats, hints = (
            slice(*(int(n) for n in first[place : place + 2])) for first in (self.first_beat, self.first_hint)
        )
        return ReplayEvent(
            int(self.layer[place]),
            bool(self.step_first[place]),
            bool(self.sequence_start[place]),
            tuple(
                RouterBeat(expert, score, bool(last))
                for expert, score, last in zip(
                    self.expert[beats].tolist(),
                    self.score[beats].tolist(),
                    self.token_last[beats].tolist(),
                    strict=True,
                )
            ),
            tuple(
                map(
                    Hint,
                    self.hint_layer[hints].tolist(),
                    self.hint_expert[hints].tolist(),
                    self.hint_score[hints].tolist(),
                )
            ),
        )

    def __iter__(self) -> Iterator[ReplayEvent]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Sequence)
            and len(self) == len(other)
            and all(a == b for a, b in zip(self, other, strict=True))
        )

    @cached_property
    def members(self) -> Ints:
        """Distinct experts of each event."""
        event = np.repeat(np.arange(len(self)), np.diff(self.first_beat))
        keys = np.sort(event << 16 | self.expert)  # numpy's `unique` is fifty times slower on millions of these
        first = np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)]
        return np.bincount(keys[first] >> 16, minlength=len(self))

    @property
    def tokens(self) -> int:
        """Tokens of all steps: those that their first events end."""
        ends = np.concatenate([[0], np.cumsum(self.token_last, dtype=np.int64)])
        return int((ends[self.first_beat[1:]] - ends[self.first_beat[:-1]])[self.step_first != 0].sum())


def event_columns(trace: Trace, *, tokens: int | None = None, batch: int = 1, hints: bool = False) -> EventColumns:
    """Return `replay_events` of a trace in columns, without making its events one by one."""
    steps = [step for number, step in enumerate(decode_steps(trace, batch)) if tokens is None or number < tokens]
    rows = np.array([row for group, _ in steps for row in group], np.intp)
    step_of_row = np.repeat(np.arange(len(steps)), [len(group) for group, _ in steps])
    starts = np.array([start for _, start in steps], np.uint8)
    n_layers = trace.experts.shape[1]
    place, expert, score, last = _beats(trace, rows, step_of_row)
    kept, counts = np.unique(place, return_counts=True)
    layer = (kept % n_layers).astype(np.uint8)
    told = _hints(trace, rows, step_of_row) if hints else _no_hints()
    hint_place = np.searchsorted(kept, told[0])
    known = (hint_place < len(kept)) & (kept[np.minimum(hint_place, len(kept) - 1)] == told[0])
    return EventColumns(
        layer=layer,
        step_first=(layer == 0).astype(np.uint8),
        sequence_start=(starts[kept // n_layers] & (layer == 0)).astype(np.uint8),
        first_beat=_firsts(counts),
        expert=expert,
        score=score,
        token_last=last,
        first_hint=_firsts(np.bincount(hint_place[known], minlength=len(kept))),
        hint_layer=told[1][known],
        hint_expert=told[2][known],
        hint_score=told[3][known],
    )


def _firsts(counts: NDArray[Any]) -> Ints:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def _beats(trace: Trace, rows: NDArray[np.intp], steps: NDArray[Any]) -> tuple[Any, Any, Any, Any]:
    """Return event (step x layers + layer), expert, score and end of token of each beat, in order of events."""
    experts = trace.experts[rows]
    present = experts != ABSENT
    scores = router_scores_of(trace)[rows]
    count, n_layers, width = experts.shape
    final = width - 1 - np.argmax(present[:, :, ::-1], axis=2)
    last = np.arange(width) == final[:, :, None]
    place = np.broadcast_to(steps[:, None, None] * n_layers + np.arange(n_layers)[:, None], (count, n_layers, width))
    place, expert, score, ends = (values[present] for values in (place, experts, scores, last))
    if len(steps) and len(steps) != steps[-1] + 1:
        order = np.argsort(place, kind="stable")
        place, expert, score, ends = place[order], expert[order], score[order], ends[order]
    return place, expert, score, ends.astype(np.uint8)


def _no_hints() -> tuple[Ints, Any, Any, Any]:
    return np.zeros(0, np.int64), np.zeros(0, np.uint8), np.zeros(0, np.uint16), np.zeros(0, np.uint8)


def _hints(trace: Trace, rows: NDArray[np.intp], steps: NDArray[Any]) -> tuple[Ints, Any, Any, Any]:
    """Return event, layer, expert and score of each hint: best first, an expert once with its best score."""
    scores = hint_scores_of(trace)
    horizon, n_layers = trace.meta.hint_horizon, trace.experts.shape[1]
    if trace.hints is None or scores is None or horizon >= n_layers:
        return _no_hints()
    hinted = trace.hints[rows][:, horizon:]
    layers = np.arange(horizon, n_layers)[:, None]
    present = hinted != ABSENT
    place = np.broadcast_to(steps[:, None, None] * n_layers + layers - horizon, hinted.shape)[present]
    layer = np.broadcast_to(layers, hinted.shape)[present]
    expert, score = hinted[present].astype(np.int64), scores[rows][:, horizon:][present].astype(np.int64)
    order = np.lexsort((-score, expert, place))
    place, layer, expert, score = (values[order] for values in (place, layer, expert, score))
    first = np.ones(len(place), bool)
    first[1:] = (place[1:] != place[:-1]) | (expert[1:] != expert[:-1])
    place, layer, expert, score = (values[first] for values in (place, layer, expert, score))
    order = np.lexsort((expert, -score, place))
    return place[order], layer[order].astype(np.uint8), expert[order].astype(np.uint16), score[order].astype(np.uint8)

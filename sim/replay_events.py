"""A trace as the unit sees it: events with their router beats and hints, one decode step after another."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..traces.format import ABSENT, Trace
from .predictors.hints import quantise_scores, rank_scores

DECODE = 1


class RouterBeat(NamedTuple):
    """One selected expert of one token."""

    expert: int
    score: int
    token_last: bool


class Hint(NamedTuple):
    """An expert that is expected in the next event of `layer`."""

    layer: int
    expert: int
    score: int


class ReplayEvent(NamedTuple):
    """One MoE layer of one step: the beats of all tokens that share it, and the hints that follow them."""

    layer: int
    step_first: bool
    sequence_start: bool
    beats: tuple[RouterBeat, ...]
    hints: tuple[Hint, ...]


def replay_events(trace: Trace, *, tokens: int | None = None, batch: int = 1, hints: bool = False) -> list[ReplayEvent]:
    """Return the events of a trace's first `tokens` decode steps.

    With `batch` B, the same position of B sequences makes one step, whose events are the unions of theirs; a step
    then counts as one of `tokens`. Hints for layer l + 1 follow the beats of layer l; layer 0 gets none.
    """
    steps = decode_steps(trace, batch)
    events: list[ReplayEvent] = []
    scores = router_scores_of(trace)
    hint_scores = hint_scores_of(trace) if hints else None
    for number, (rows, start) in enumerate(steps):
        if tokens is not None and number == tokens:
            break
        for layer in range(trace.experts.shape[1]):
            beats = tuple(beat for row in rows for beat in _beats(trace.experts[row, layer], scores[row, layer]))
            if beats:
                told = (
                    _hints(trace, hint_scores, rows, layer + trace.meta.hint_horizon) if hint_scores is not None else ()
                )
                events.append(ReplayEvent(layer, layer == 0, start and layer == 0, beats, told))
    return events


def decode_steps(trace: Trace, batch: int) -> Iterator[tuple[list[int], bool]]:
    """Yield the rows of each decode step, and whether it begins a sequence (or a batch of them)."""
    rows = np.flatnonzero(np.asarray(trace.phase) == DECODE)
    sequences = np.asarray(trace.sequence)[rows]
    cuts = np.flatnonzero(np.diff(sequences)) + 1
    runs = np.split(rows, cuts) if len(rows) else []
    for first in range(0, len(runs), batch):
        group = runs[first : first + batch]
        for position in range(max(len(run) for run in group)):
            yield [int(run[position]) for run in group if position < len(run)], position == 0


def router_scores_of(trace: Trace) -> np.ndarray:
    """Return 8-bit scores of the router's choices, by their order where none were recorded."""
    if trace.scores is None:
        return rank_scores(trace.experts)
    return quantise_scores(trace.scores)


def hint_scores_of(trace: Trace) -> np.ndarray | None:
    """Return 8-bit scores of the hints, by their order where none were recorded; None without hints."""
    if trace.hints is None:
        return None
    return rank_scores(trace.hints) if trace.hint_scores is None else quantise_scores(trace.hint_scores)


def _beats(experts: np.ndarray, scores: np.ndarray) -> list[RouterBeat]:
    present = [(int(e), int(s)) for e, s in zip(experts, scores, strict=True) if e != ABSENT]
    return [RouterBeat(e, s, position == len(present) - 1) for position, (e, s) in enumerate(present)]


def _hints(trace: Trace, scores: np.ndarray, rows: list[int], layer: int) -> tuple[Hint, ...]:
    """Return the hints for `layer`, best first; an expert hinted by several tokens keeps its best score."""
    if trace.hints is None or layer >= trace.experts.shape[1]:
        return ()
    best: dict[int, int] = {}
    for row in rows:
        for expert, score in zip(trace.hints[row, layer].tolist(), scores[row, layer].tolist(), strict=True):
            if expert != ABSENT:
                best[expert] = max(score, best.get(expert, 0))
    return tuple(Hint(layer, e, s) for e, s in sorted(best.items(), key=lambda item: (-item[1], item[0])))

"""What every golden predictor takes and gives: one event in, the candidates for a coming event out."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ...hw.records import Source

MAX_SCORE = 255
"""Scores are unsigned 8-bit integers, in the models as in the unit."""


@dataclass(frozen=True, slots=True)
class PredictorEvent:
    """One MoE layer of one decode step, with the experts that its router selected.

    `event` is the absolute event number (from 0), `layer` the MoE layer (from 0). `sequence_start` is set on
    the first event of a step that begins a sequence. `members` holds up to E distinct experts in router order: the
    top-k of one token, or the union of a batch; none if every router beat was faulty.
    """

    event: int
    layer: int
    sequence_start: bool
    members: tuple[int, ...]


class Candidate(NamedTuple):
    """One expert that a predictor names for `target_event`; `last` closes the prediction of an event."""

    target_event: int
    layer: int
    expert: int
    score: int
    source: Source
    last: bool


class Predictor(Protocol):
    """A golden predictor: first predicts the next event, then learns from the same event."""

    def step(self, event: PredictorEvent) -> list[Candidate]:
        """Return the candidates in descending score, ties to the lower expert id; there may be none."""
        ...


def ranked_candidates(target_event: int, layer: int, scores: dict[int, int], source: Source) -> list[Candidate]:
    """Order `scores` (expert -> score) as a predictor emits it: descending, ties to the lower id."""
    ranking = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    final = len(ranking) - 1
    return [
        Candidate(target_event, layer, expert, score, source, position == final)
        for position, (expert, score) in enumerate(ranking)
    ]

"""Recall of a golden predictor on a trace, alone: no cache, no link, no time.

What was predicted for an event is compared with the experts that it really selected. Layer 0 is kept
apart: only a predictor that wraps says anything about it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..traces.format import ABSENT
from .predictors.interface import Candidate, Predictor, PredictorEvent


@dataclass
class RecallTally:
    """Sums over the events of some layers; every rate is derived from them.

    `predicted` counts the events for which anything was named, `demand` the selected experts, `in_set` those
    of them that the predicted set names, `set_size` the experts that it names, `ranked[i]` the selected
    experts among the first `budgets[i]` of the ranking (the named experts in their order, then all others by
    id), and `previous` the selected experts that the layer selected for the previous token too.
    """

    budgets: tuple[int, ...]
    events: int = 0
    predicted: int = 0
    demand: int = 0
    in_set: int = 0
    set_size: int = 0
    previous: int = 0
    ranked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ranked = [0] * len(self.budgets)

    def add(
        self,
        order: list[int],
        named: int,
        set_size: int,
        actual: tuple[int, ...],
        previous: tuple[int, ...],
    ) -> None:
        """Count one event.

        `order` is the ranking, of which `named` experts come from the predictor and `set_size` are its set.
        """
        self.events += 1
        self.predicted += named > 0
        self.demand += len(actual)
        self.set_size += set_size
        hits = [expert in actual for expert in order]
        self.in_set += sum(hits[:set_size])
        for index, budget in enumerate(self.budgets):
            self.ranked[index] += sum(hits[:budget])
        self.previous += sum(expert in actual for expert in previous)

    def summary(self) -> dict[str, Any]:
        """Return the rates: recall of the set, its mean size, recall at each budget, previous token.

        Those of the predictor are None where it never named anything: there is nothing to judge.
        """

        def rate(hits: int, of: int) -> float | None:
            return hits / of if self.predicted and of else None

        return {
            "events": self.events,
            "demand": self.demand,
            "set_recall": rate(self.in_set, self.demand),
            "mean_set_size": rate(self.set_size, self.events),
            "recall_at": {
                str(budget): rate(hits, self.demand) for budget, hits in zip(self.budgets, self.ranked, strict=True)
            },
            "previous_token_recall": self.previous / self.demand if self.demand else None,
        }


@dataclass(frozen=True)
class Recall:
    """The two tallies of a measurement: layers 1 and up, and layer 0."""

    later_layers: RecallTally
    layer_0: RecallTally


def ranking_budgets(top_k: int) -> tuple[int, ...]:
    """Return the budgets at which a ranking is judged: k, 1.5k (rounded down), 2k and 3k."""
    return (top_k, int(1.5 * top_k), 2 * top_k, 3 * top_k)


def trace_events(experts: NDArray[Any], sequence_start: NDArray[np.bool_]) -> Iterator[PredictorEvent]:
    """Yield the events of `experts` [T, L, K] (0xFFFF absent), one step a token, numbered from 0."""
    n_layers = experts.shape[1]
    for token, (rows, starts) in enumerate(zip(experts, sequence_start.tolist(), strict=True)):
        for layer, row in enumerate(rows.tolist()):
            members = tuple(expert for expert in row if expert != ABSENT)
            yield PredictorEvent(token * n_layers + layer, layer, starts and layer == 0, members)


def measure_recall(
    predictor: Predictor,
    events: Iterable[PredictorEvent],
    n_layers: int,
    n_experts: int,
    *,
    budgets: tuple[int, ...],
    set_score: int,
    history: NDArray[Any] | None = None,
) -> Recall:
    """Step `predictor` through `events` and count how well it named each event ahead of time.

    The set is the candidates with a score of `set_score` or more; all candidates rank. `history` [L, K] is
    the token before the first event in its sequence, for the previous-token figure alone.
    """
    recall = Recall(RecallTally(budgets), RecallTally(budgets))
    last: list[tuple[int, ...]] = [()] * n_layers
    if history is not None:
        last = [tuple(expert for expert in row if expert != ABSENT) for row in history.tolist()]
    predicted: dict[int, list[Candidate]] = {}
    for event in events:
        if event.sequence_start:
            last = [()] * n_layers
        tally = recall.later_layers if event.layer else recall.layer_0
        candidates = predicted.pop(event.event, [])
        set_size = sum(candidate.score >= set_score for candidate in candidates)
        order = _ranking(candidates, n_experts, max(set_size, *budgets))
        tally.add(order, len(candidates), set_size, event.members, last[event.layer])
        last[event.layer] = event.members
        for candidate in predictor.step(event):
            predicted.setdefault(candidate.target_event, []).append(candidate)
    return recall


def _ranking(candidates: list[Candidate], n_experts: int, length: int) -> list[int]:
    """Return the first `length` experts: the candidates in their order, then the others by id."""
    order = [candidate.expert for candidate in candidates]
    if len(order) < length:
        named = set(order)
        order += [expert for expert in range(n_experts) if expert not in named]
    return order[:length]

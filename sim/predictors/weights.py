"""Weight tables: an online integer perceptron over several sets of experts selected before.

The executable specification of `predictor_rtl/weights.py`: sums, scores and tables agree bit for bit after every
event. The rule is that of perceptron branch prediction with a fixed threshold and margin (Jimenez and Lin, HPCA
2001), one output for each expert.
"""

from collections import deque
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...hw.records import Source
from ...hw.weight_rules import CENTRE, WeightRules
from .interface import MAX_SCORE, Candidate, PredictorEvent, ranked_candidates


class _Prediction(NamedTuple):
    """What was predicted for `layer`: from which members of each source, and every expert's sum."""

    layer: int
    context: list[list[int]]
    sums: NDArray[np.int64]


class Weights:
    """Predict a coming layer's experts from the sets that each source of context names.

    `tables[l, j, e, f]` is what the selection of e in source j says about f in layer l. A source (layers back,
    tokens back) is the latest event of its layer on the ring, (l - layers back) mod L; it is void if there has been
    none since the sequence start, or if it is the current event's layer and the source is not `rules.own`, the event
    itself.

    - Predict, at the event of a layer, the event `rules.ahead` events on: the sum of f is `rules.offset` plus its
      weights in the rows of all members of all sources. Its score is 128 + (sum >> `rules.score_shift`), limited to 0
      to 255; candidates are the experts with a score of `min_score` or more.
    - Learn, if the event is of the layer that was predicted `rules.ahead` events ago in this sequence: an expert of the
      event whose sum was below `rules.margin` gains 1, any other whose sum was -`rules.margin` or more loses 1, in
      each row that the prediction read, limited to `rules.lowest` and `rules.highest`.
    - A sequence start voids every source and all that was predicted.

    Parameters: `n_layers`, `n_experts` (1 or more each), `rules`, `min_score` (0 to 255), `tables` (initial weights
    int8 [L, sources, E, E], copied; zero without). Raises ValueError for a parameter or an event out of range.
    """

    def __init__(
        self,
        n_layers: int,
        n_experts: int,
        rules: WeightRules,
        *,
        min_score: int = 0,
        tables: NDArray[np.int8] | None = None,
    ):
        if n_layers < 1 or n_experts < 1:
            raise ValueError(f"n_layers and n_experts must be 1 or more, not {n_layers} and {n_experts}")
        if not 0 <= min_score <= MAX_SCORE:
            raise ValueError(f"min_score must be 0 to {MAX_SCORE}, not {min_score}")
        self.n_layers = n_layers
        self.n_experts = n_experts
        self.rules = rules
        self.min_score = min_score
        self.tables = initial_tables(n_layers, n_experts, rules, tables)
        self._latest: list[list[int]] = [[] for _ in range(n_layers)]
        self._predictions: deque[_Prediction | None] = deque([None] * rules.ahead)

    def step(self, event: PredictorEvent) -> list[Candidate]:
        """Predict a coming event, then learn from `event`; candidates in descending score."""
        self._check(event)
        if event.sequence_start:
            self._latest = [[] for _ in range(self.n_layers)]
            self._predictions = deque([None] * self.rules.ahead)
        prediction = self._predict(event)
        self._learn(event)
        self._latest[event.layer] = list(event.members)
        self._predictions.append(prediction)
        return self._candidates(event, prediction)

    def _check(self, event: PredictorEvent) -> None:
        if not 0 <= event.layer < self.n_layers:
            raise ValueError(f"event {event.event}: layer {event.layer} is not in 0 to {self.n_layers - 1}")
        if len(set(event.members)) != len(event.members):
            raise ValueError(f"event {event.event}: members must be distinct: {event.members}")
        if not all(0 <= member < self.n_experts for member in event.members):
            raise ValueError(f"event {event.event}: an expert is not in 0 to {self.n_experts - 1}")

    def _predict(self, event: PredictorEvent) -> _Prediction:
        target = (event.layer + self.rules.ahead) % self.n_layers
        context = [self._members(event, target, source) for source in self.rules.sources]
        sums = np.full(self.n_experts, self.rules.offset, np.int64)
        for table, members in zip(self.tables[target], context, strict=True):
            sums += table[members].sum(axis=0, dtype=np.int64)
        return _Prediction(target, context, sums)

    def _members(self, event: PredictorEvent, target: int, source: tuple[int, int]) -> list[int]:
        """Return the members of a source of the layer `target`, none if it is void."""
        if source == self.rules.own:
            return list(event.members)
        layer = (target - source[0]) % self.n_layers
        return [] if layer == event.layer else self._latest[layer]

    def _learn(self, event: PredictorEvent) -> None:
        predicted = self._predictions.popleft()
        if predicted is None or predicted.layer != event.layer:
            return
        rules = self.rules
        selected = np.zeros(self.n_experts, np.bool_)
        selected[list(event.members)] = True
        step = np.where(selected, predicted.sums < rules.margin, -(predicted.sums >= -rules.margin).astype(np.int64))
        for table, members in zip(self.tables[event.layer], predicted.context, strict=True):
            table[members] = np.clip(table[members] + step, rules.lowest, rules.highest)

    def _candidates(self, event: PredictorEvent, prediction: _Prediction) -> list[Candidate]:
        scores = candidate_scores(prediction.sums, self.rules)
        named = {expert: score for expert, score in enumerate(scores.tolist()) if score >= self.min_score}
        return ranked_candidates(event.event + self.rules.ahead, prediction.layer, named, Source.PREDICTOR)


def initial_tables(
    n_layers: int, n_experts: int, rules: WeightRules, tables: NDArray[np.int8] | None
) -> NDArray[np.int8]:
    """Return a copy of `tables`, or zeros; raises ValueError if shape, type or a weight does not fit `rules`."""
    shape = (n_layers, len(rules.sources), n_experts, n_experts)
    if tables is None:
        return np.zeros(shape, np.int8)
    if tables.shape != shape or tables.dtype != np.int8:
        raise ValueError(f"tables are {tables.dtype} {tables.shape}, the predictor's are int8 {shape}")
    if tables.min() < rules.lowest or tables.max() > rules.highest:
        raise ValueError(f"tables: a weight is not in {rules.lowest} to {rules.highest}")
    return tables.copy()


def candidate_scores(sums: NDArray[Any], rules: WeightRules) -> NDArray[Any]:
    """Return the candidate scores, 0 to 255, of sums of weights."""
    return np.clip(CENTRE + (sums >> rules.score_shift), 0, MAX_SCORE)

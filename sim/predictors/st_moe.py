"""ST-MoE's predictor: cross-layer correlation table plus history table, with exact table contents.

The executable specification of `predictor_rtl/st_moe.py`: sets, scores and tables agree bit for bit after
every event. Source: arXiv 2606.15453, Algorithms 1-3; where the paper is silent the rules are stated below.
"""

from ...hw.records import Source
from ..profile import Profile
from .interface import MAX_SCORE, Candidate, PredictorEvent, ranked_candidates

HISTORY_SCORE = 2
PROFILED_CONFIDENCE = 2
MAX_CONFIDENCE = 3


class StMoe:
    """Predict the next layer's experts from this layer's (CCT) and from the previous token's (HT).

    The cross-layer correlation table holds, for each pair of adjacent layers (l, l+1) and each expert of
    layer l, `top_k` entries {expert of layer l+1, confidence 0-3}; the history table holds the experts
    really selected in each layer by the previous token.

    - Predict: the score of f is the sum of the confidences of f in the rows of the selected experts, plus 2
      if f is in HT(l+1), saturating at 255. Candidates are the experts with a score of `min_score` or more.
    - Learn: each row of the previous event's experts is walked in index order. An entry in F (this event's
      experts) gains 1, at most 3; one that is not loses 1; one that is not and stands at 0 is replaced, with
      confidence 2, by the first expert of F in router order that the row does not hold, or else stays at 0.
      Then HT(l) takes F.
    - A sequence start voids the history of every layer and the previous event's experts, as does an event
      whose layer does not follow the previous event's (for the experts only).

    Parameters: `n_layers`, `n_experts` (1 or more each), `top_k` (entries a row, 1 to `n_experts`),
    `min_score` (0 to 255), `wrap` (the last layer predicts layer 0 of the next step, and the pair learns),
    `profile` (initial rows at confidence 2). Without a profile the rows hold experts 0 to `top_k`-1 at
    confidence 0, so that only history predicts until the rows have learnt.

    Raises ValueError for a parameter or an event out of range.
    """

    def __init__(
        self,
        n_layers: int,
        n_experts: int,
        top_k: int,
        *,
        min_score: int = 2,
        wrap: bool = True,
        profile: Profile | None = None,
    ):
        if n_layers < 1 or n_experts < 1:
            raise ValueError(f"n_layers and n_experts must be 1 or more, not {n_layers} and {n_experts}")
        if not 1 <= top_k <= n_experts:
            raise ValueError(f"top_k must be 1 to n_experts ({n_experts}), not {top_k}")
        if not 0 <= min_score <= MAX_SCORE:
            raise ValueError(f"min_score must be 0 to {MAX_SCORE}, not {min_score}")
        self.n_layers = n_layers
        self.n_experts = n_experts
        self.top_k = top_k
        self.min_score = min_score
        self.wrap = wrap
        self._cct_experts, self._cct_confidences = self._initial_tables(profile)
        self._history: list[tuple[int, ...] | None] = [None] * n_layers
        self._previous: PredictorEvent | None = None

    def _initial_tables(self, profile: Profile | None) -> tuple[list[list[list[int]]], list[list[list[int]]]]:
        shape = (self.n_layers, self.n_experts, self.top_k)
        if profile is None:
            rows = [[list(range(self.top_k)) for _ in range(self.n_experts)] for _ in range(self.n_layers)]
            confidence = 0
        else:
            if profile.rows.shape != shape:
                raise ValueError(f"the profile's rows are {profile.rows.shape}, the predictor's are {shape}")
            rows = profile.rows.tolist()
            confidence = PROFILED_CONFIDENCE
        confidences = [[[confidence] * self.top_k for _ in range(self.n_experts)] for _ in range(self.n_layers)]
        return rows, confidences

    def step(self, event: PredictorEvent) -> list[Candidate]:
        """Predict the event after `event`, then learn from `event`; candidates in descending score."""
        self._check(event)
        if event.sequence_start:
            self._history = [None] * self.n_layers
            self._previous = None
        candidates = self._predict(event)
        self._learn(event)
        return candidates

    def cct_rows(self, layer: int) -> list[list[tuple[int, int]]]:
        """Return the table of the pair (`layer`, next layer) as [E][k] entries of (expert, confidence)."""
        table = zip(self._cct_experts[layer], self._cct_confidences[layer], strict=True)
        return [list(zip(experts, confidences, strict=True)) for experts, confidences in table]

    def history(self, layer: int) -> tuple[int, ...] | None:
        """Return the experts that `layer` selected for the previous token, None while void."""
        return self._history[layer]

    def _check(self, event: PredictorEvent) -> None:
        if not 0 <= event.layer < self.n_layers:
            raise ValueError(f"event {event.event}: layer {event.layer} is not in 0 to {self.n_layers - 1}")
        if len(set(event.members)) != len(event.members):
            raise ValueError(f"event {event.event}: members must be distinct: {event.members}")
        if not all(0 <= member < self.n_experts for member in event.members):
            raise ValueError(f"event {event.event}: an expert is not in 0 to {self.n_experts - 1}")

    def _predict(self, event: PredictorEvent) -> list[Candidate]:
        target = (event.layer + 1) % self.n_layers
        if target == 0 and not self.wrap:
            return []
        scores = [0] * self.n_experts
        for member in event.members:
            row = self._cct_experts[event.layer][member]
            for expert, confidence in zip(row, self._cct_confidences[event.layer][member], strict=True):
                scores[expert] += confidence
        for expert in self._history[target] or ():
            scores[expert] += HISTORY_SCORE
        named = {expert: min(score, MAX_SCORE) for expert, score in enumerate(scores) if score >= self.min_score}
        return ranked_candidates(event.event + 1, target, named, Source.PREDICTOR)

    def _learn(self, event: PredictorEvent) -> None:
        previous = self._previous
        learns = event.layer != 0 or self.wrap
        if learns and previous is not None and (previous.layer + 1) % self.n_layers == event.layer:
            experts, confidences = self._cct_experts[previous.layer], self._cct_confidences[previous.layer]
            for member in previous.members:
                update_row(experts[member], confidences[member], event.members)
        self._history[event.layer] = event.members
        self._previous = event


def update_row(experts: list[int], confidences: list[int], actual: tuple[int, ...]) -> None:
    """Teach one CCT row, in place, the experts that the next layer really selected (in router order)."""
    for index, expert in enumerate(experts):
        if expert in actual:
            confidences[index] = min(confidences[index] + 1, MAX_CONFIDENCE)
        elif confidences[index] > 0:
            confidences[index] -= 1
        else:
            newcomer = next((candidate for candidate in actual if candidate not in experts), None)
            if newcomer is not None:
                experts[index] = newcomer
                confidences[index] = PROFILED_CONFIDENCE

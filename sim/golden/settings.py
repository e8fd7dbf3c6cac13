"""Settings of a run that decide what the unit commits; timing and the transport have no say in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...hw.records import AbortPolicy, VictimPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSettings:
    """Live geometry and policies of one run, with the generated `queue_depth` and `horizon`.

    `top_k` has one entry for each of `n_layers`; `budget` is in experts per target event (0: none is queued);
    `mapping_window` is the number of oldest grants of which any may leave first (0: they leave in order).
    Raises ValueError naming the field, the value and the rule.
    """

    n_layers: int
    n_experts: int
    n_slots: int
    top_k: Sequence[int]
    queue_depth: int
    horizon: int
    budget: int
    hints: bool = False
    victim_policy: VictimPolicy = VictimPolicy.LRU
    abort_policy: AbortPolicy = AbortPolicy.NEVER
    evict_at_event_end: bool = False
    mapping_window: int = 0

    def __post_init__(self) -> None:
        for field in ("n_layers", "n_experts", "n_slots", "queue_depth", "horizon"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} = {getattr(self, field)}: must be 1 or more")
        if self.budget < 0:
            raise ValueError(f"budget = {self.budget}: must be 0 or more")
        if len(self.top_k) != self.n_layers or min(self.top_k) < 1:
            raise ValueError(f"top_k = {self.top_k}: must be {self.n_layers} numbers of 1 or more")

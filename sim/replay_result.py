"""What a replay takes and gives, whatever engine ran it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..hw.config import UnitConfig
from .key_ranking import KeyRanking
from .profile import Profile
from .replay_events import ReplayEvent
from .weight_profile import WeightProfile
from .workload import Workload

MODEL_ENGINE = "model"
"""Name of the cycle model as an engine."""


@dataclass(frozen=True)
class ReplayJob:
    """One trace under one policy on one workload and unit.

    `settings` are register fields by name (hw/settings.py) that differ from the workload's geometry; `predictor`
    is the policy's predictor name or None; `profile` the CCT contents, or `weight_profile` the weights, that are
    loaded before the run.
    """

    name: str
    policy: str
    events: Sequence[ReplayEvent]
    workload: Workload
    unit: UnitConfig
    predictor: str | None
    settings: dict[str, int]
    top_k: tuple[int, ...]
    profile: Profile | None
    weight_profile: WeightProfile | None = None
    ranking: KeyRanking | None = None
    """Who gives way instead of the victim policy; the cycle model alone follows it."""


@dataclass
class ReplayResult:
    """What came out; all figures counted by the engine named.

    `counters` has every name of hw/counter_names.py, aliases included, over the replay alone; `cycles` is the total
    from the first attention to the last event's end; `step_cycles` has those of each decode step, and adds up to it.
    """

    engine: str
    job: ReplayJob
    counters: dict[str, int]
    cycles: int
    step_cycles: list[int]
    events: int
    records: int
    mismatches: int
    words_checked: int
    wrong_words: int
    statistics: dict[str, Any] = field(default_factory=dict)
    wall_seconds: float = 0.0
    log: Path | None = None

    @property
    def modelled(self) -> bool:
        """The cycle model was the engine; else it was the RTL."""
        return self.engine == MODEL_ENGINE

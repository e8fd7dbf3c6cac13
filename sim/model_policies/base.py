"""What a policy of the cycle model is made of: what to prefetch at each event, and who gives way."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...traces.errors import UserError
from ..event_columns import EventColumns, event_columns
from ..jobs import ReplayPlan
from ..key_ranking import KeyRanking
from ..policies import POLICIES, PolicyOptions
from ..replay_result import ReplayJob

BEST_SCORE = 255


class Candidates(NamedTuple):
    """What a policy names: after event `event` `expert` of `layer`, whose next event it is expected in.

    Rows by event, within an event in the order in which the unit is told, one a cycle behind the router's beats; of
    two for one coming event the higher score (0 to 255), then the lower expert goes first.
    """

    event: NDArray[np.int64]
    layer: NDArray[np.uint8]
    expert: NDArray[np.uint16]
    score: NDArray[np.uint8]


@dataclass(frozen=True)
class PolicyInput:
    """What a policy may look at: the replayed events, the geometry, and the events that profiles are counted on."""

    plan: ReplayPlan

    @property
    def events(self) -> EventColumns:
        """The replayed events, without hints."""
        return self.plan.events

    @property
    def n_layers(self) -> int:
        """Layers of the trace."""
        return self.plan.trace.meta.n_layers

    @property
    def n_experts(self) -> int:
        """Experts of a layer."""
        return self.plan.trace.meta.n_experts

    @property
    def n_slots(self) -> int:
        """Slots in use."""
        return min(self.plan.workload.slots, self.plan.unit.slots)

    @property
    def horizon(self) -> int:
        """Farthest event ahead that the unit hears of."""
        return min(self.plan.unit.horizon, self.n_layers)

    @cached_property
    def uses(self) -> NDArray[np.int64]:
        """How often the profile's tokens used each expert, [L, E]."""
        part = event_columns(self.plan.trace.select(self.plan.profiled_rows))
        layer = np.repeat(part.layer, np.diff(part.first_beat))
        found = np.zeros((self.n_layers, self.n_experts), np.int64)
        np.add.at(found, (layer, part.expert), 1)
        return found


@dataclass(frozen=True)
class ModelPolicy:
    """A policy by its hooks: `names` says what to prefetch, None for nothing; `ranks` who gives way, else `victim`."""

    name: str
    text: str
    names: Callable[[PolicyInput], Candidates] | None = None
    ranks: Callable[[PolicyInput], KeyRanking] | None = None
    victim: str = "lru"

    def job(self, plan: ReplayPlan) -> ReplayJob:
        """Return the plan's replay under this policy; raises UserError if the trace cannot be played so."""
        told = PolicyInput(plan)
        job = plan.job(POLICIES["none"], PolicyOptions(victim=self.victim))
        changes: dict[str, object] = {"policy": self.name}
        if self.names is not None:
            changes["events"] = _with_hints(told, self.names(told))
            changes["settings"] = job.settings | {"hints": 1, "budget": told.n_experts}
        if self.ranks is not None:
            changes["ranking"] = self.ranks(told)
        return replace(job, **changes)


def _with_hints(told: PolicyInput, named: Candidates) -> EventColumns:
    """Return the events with a policy's candidates as the hints that follow them."""
    if (np.diff(named.event) < 0).any():
        raise UserError("a policy's candidates must be in the order of their events")
    counts = np.bincount(named.event, minlength=len(told.events))
    return replace(
        told.events,
        first_hint=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
        hint_layer=named.layer,
        hint_expert=named.expert,
        hint_score=named.score,
    )


def name_sets(told: PolicyInput, event: NDArray[np.int64], source: NDArray[np.int64]) -> Candidates:
    """Return candidates that name, after each `event`, the whole set of event number `source`, in router order."""
    events = told.events
    counts = np.diff(events.first_beat)[source]
    begin = np.repeat(events.first_beat[source], counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    after, layer = np.repeat(event, counts), np.repeat(events.layer[source], counts)
    expert = events.expert[begin + within]
    # An expert that several tokens of an event share is named once.
    keys = np.stack([after, np.repeat(np.arange(len(source)), counts), expert])
    _, first = np.unique(keys, axis=1, return_index=True)
    kept = np.sort(first)
    score = np.full(len(kept), BEST_SCORE, np.uint8)
    return Candidates(after[kept], layer[kept], expert[kept], score)

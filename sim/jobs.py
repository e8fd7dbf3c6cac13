"""From a trace, a model and a platform to the jobs that an engine replays."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..hw.config import UnitConfig
from ..hw.replay_words import HEADER
from ..traces.errors import UserError
from ..traces.format import ABSENT, Trace
from .all_resident import link_room
from .energy_table import EnergyPrices
from .event_columns import EventColumns, event_columns
from .model_spec import ModelSpec
from .policies import Policy, PolicyOptions, policy_settings
from .predictors.interface import PredictorEvent
from .predictors.st_moe_paper import StMoePaper
from .profile import Profile
from .profile_files import AnyProfile
from .replay_events import decode_steps
from .replay_result import ReplayJob
from .weight_profile import WeightProfile
from .workload import Workload

PROFILE_SHARE = 0.2
"""Part of the trace's decode tokens, at its end, that the correlation tables are counted on."""
MOST_PROFILE_SHARE = 0.5
"""Whole sequences make the profile only up to here; of a trace with fewer, the last tokens do."""
TABLE_ADDRESS = 1 << 62
"""Where the tables lie of a unit that has them in memory: above all experts, and aligned to the tables' size."""
BASE_ADDRESS = 0x12_3456_7000
"""Where layer 0's expert 0 lies: above 4 GiB and not 0, so that every address bit path is in use."""
MAX_BEATS = (1 << HEADER["n_beats"]) - 1


def require_geometry(path: Path, trace: Trace, model: ModelSpec) -> None:
    """Raise UserError if the trace is not of the model; it may have recorded fewer than the model's top-k."""
    meta = trace.meta
    for name, found, expected in (
        ("layers", meta.n_layers, model.n_layers),
        ("experts", meta.n_experts, model.n_experts),
    ):
        if found != expected:
            raise UserError(f"{path}: {found} {name}: must be {expected}, as model {model.name} has")
    if meta.top_k > model.top_k:
        raise UserError(f"{path}: top-{meta.top_k}: must not exceed top-{model.top_k} of model {model.name}")


def profile_rows(trace: Trace) -> NDArray[np.intp]:
    """Return the decode rows of the profiling part: whole sequences from the end, 20 % of the tokens or just above.

    If whole sequences would be more than half of the trace, the last 20 % of its tokens, one at least.
    """
    rows = np.flatnonzero(trace.phase == 1)
    wanted = max(1, round(len(rows) * PROFILE_SHARE))
    starts = np.flatnonzero(trace.select(rows).sequence_starts())
    whole = starts[starts <= len(rows) - wanted]
    if len(whole) and len(rows) - whole[-1] <= MOST_PROFILE_SHARE * len(rows):
        return rows[whole[-1] :]
    return rows[len(rows) - wanted :]


@dataclass(frozen=True)
class ReplayPlan:
    """What all policies of a replay share.

    `tokens` is the number of decode steps asked for, None for all; `batch` the sequences of a step; `given` the
    predictors' tables before the replay, none if it is empty, or None for those counted on the trace's end; `prices`
    the platform's energies and areas, None for reports without them.
    """

    path: Path
    trace: Trace
    workload: Workload
    unit: UnitConfig
    tokens: int | None
    batch: int = 1
    given: tuple[AnyProfile, ...] | None = None
    prices: EnergyPrices | None = None

    def __post_init__(self) -> None:
        if self.batch * self.trace.meta.top_k > MAX_BEATS:
            raise UserError(f"--batch {self.batch}: {MAX_BEATS} router beats an event at most")
        rows = self.replayed_rows
        if not len(rows):
            raise UserError(f"{self.path}: no decode tokens: a replay needs one or more")
        empty = np.argwhere((self.trace.experts[rows] == ABSENT).all(axis=2))
        if len(empty):
            row, layer = int(rows[empty[0][0]]), int(empty[0][1])
            place = f"sequence {self.trace.sequence[row]}, token {self.trace.position[row]}, layer {layer}"
            raise UserError(f"{self.path}: {place}: no expert: an event needs one or more")

    @cached_property
    def replayed_rows(self) -> NDArray[np.intp]:
        """The trace's rows that are replayed, step by step."""
        steps = decode_steps(self.trace, self.batch)
        taken = (rows for number, (rows, _) in enumerate(steps) if self.tokens is None or number < self.tokens)
        return np.array([row for rows in taken for row in rows], np.intp)

    @cached_property
    def profiled_rows(self) -> NDArray[np.intp]:
        """The trace's rows that the profile is counted on."""
        return profile_rows(self.trace)

    @cached_property
    def profile(self) -> Profile | None:
        """The correlation tables before the replay."""
        if self.given is not None:
            return next((profile for profile in self.given if isinstance(profile, Profile)), None)
        part = self.trace.select(self.profiled_rows)
        return Profile.count(part.experts, part.sequence_starts(), part.meta.n_experts, part.meta.top_k)

    @cached_property
    def weight_profile(self) -> WeightProfile | None:
        """The weight tables before the replay."""
        if self.given is not None:
            return next((profile for profile in self.given if isinstance(profile, WeightProfile)), None)
        part = self.trace.select(self.profiled_rows)
        return WeightProfile.train(part.experts, part.sequence_starts(), part.meta.n_experts, self.unit.weight_rules)

    def on(self, workload: Workload, unit: UnitConfig) -> "ReplayPlan":
        """Return the plan of the same steps on another workload and unit; what both share is worked out once."""
        other = copy(self)  # with what is cached; the steps were checked when this plan was made
        other.__dict__.update(workload=workload, unit=unit)
        if unit.weight_rules != self.unit.weight_rules:
            other.__dict__.pop("weight_profile", None)
        return other

    def profile_statement(self) -> str:
        """Say on what the profile was counted and how much of it is replayed."""
        if self.given is not None:
            kinds = " and ".join(sorted("weights" if isinstance(p, WeightProfile) else "st_moe" for p in self.given))
            return f"read from a file for {kinds}, none for others" if kinds else "none: all tables start empty"
        n_decode = int((self.trace.phase == 1).sum())
        count, both = len(self.profiled_rows), len(np.intersect1d(self.profiled_rows, self.replayed_rows))
        return (
            f"counted on the last {count} of the trace's {n_decode} decode tokens ({count / n_decode:.0%}); "
            f"{both} of the {len(self.replayed_rows)} replayed tokens are among them"
        )

    @cached_property
    def events(self) -> EventColumns:
        """The events without hints."""
        return event_columns(self.trace, tokens=self.tokens, batch=self.batch)

    @cached_property
    def hinted_events(self) -> EventColumns:
        """The events with the trace's hints."""
        if self.trace.hints is None:
            raise UserError(f"{self.path}: has no hints: policy hints needs a trace recorded with them")
        return event_columns(self.trace, tokens=self.tokens, batch=self.batch, hints=True)

    @property
    def link_is_tight(self) -> bool:
        """Whether the link brings less than half of an event's experts while an event lasts that waits for none."""
        return link_room(self.events, self.workload) < self.events.members.mean() / 2

    def job(self, policy: Policy, options: PolicyOptions) -> ReplayJob:
        """Return the replay under one policy; raises UserError for what trace or unit lack."""
        meta = self.trace.meta
        tight = policy.tight_min_score is not None and self.link_is_tight
        settings = self._geometry_settings() | policy_settings(
            policy, options, n_experts=meta.n_experts, top_k=meta.top_k, tight=tight
        )
        settings["predictor"] = self._predictor_index(policy)
        if self.unit.pages_tables and policy.predictor is not None:
            settings |= {"table_base": TABLE_ADDRESS, "table_enable": 1}
        if policy.holds and options.hold_cycles is None:
            settings["hold_cycles"] = self._hold_cycles(settings["min_score"])
        return ReplayJob(
            name=self.path.stem,
            policy=policy.name,
            events=self.hinted_events if policy.hints else self.events,
            workload=self.workload,
            unit=self.unit,
            predictor=policy.predictor,
            settings=settings,
            top_k=(meta.top_k,) * meta.n_layers,
            profile=None if policy.predictor in (None, "weights") else self.profile,
            weight_profile=self.weight_profile if policy.predictor == "weights" else None,
        )

    def _geometry_settings(self) -> dict[str, int]:
        workload, unit = self.workload, self.unit
        return {
            "n_layers": workload.n_layers,
            "n_experts": workload.n_experts,
            "n_slots": min(workload.slots, unit.slots),
            "row_entries": self.trace.meta.top_k,
            "expert_beats": workload.expert_beats,
            "base": BASE_ADDRESS,
            "layer_stride": workload.layer_stride,
            "expert_stride": workload.expert_stride,
            "outstanding": min(workload.outstanding, unit.outstanding),
            "burst_beats": workload.max_burst_beats,
        }

    def _predictor_index(self, policy: Policy) -> int:
        if policy.predictor is None:
            return 0
        for index, name in enumerate(self.unit.predictors):
            if name == policy.predictor:
                return index + 1
        known = ", ".join(self.unit.predictors) or "none"
        raise UserError(f"policy {policy.name}: the unit has no predictor {policy.predictor} (it has: {known})")

    def _hold_cycles(self, min_score: int) -> int:
        """Return how long the paper holds a set: so long that its transfer ends with attention, on average."""
        sets = self._mean_set_size(min_score)
        return max(0, self.workload.attention_cycles - round(sets * self.workload.transfer_cycles))

    def _mean_set_size(self, min_score: int) -> float:
        """Return the mean size of the golden predictor's sets over the replayed events that predict."""
        meta = self.trace.meta
        predictor = StMoePaper(meta.n_layers, meta.n_experts, meta.top_k, min_score=min_score, profile=self.profile)
        sizes = []
        for number, event in enumerate(self.events):
            members = tuple(dict.fromkeys(beat.expert for beat in event.beats))
            found = predictor.step(PredictorEvent(number, event.layer, event.sequence_start, members))
            if event.layer + 1 < meta.n_layers:
                sizes.append(len(found))
        return sum(sizes) / len(sizes) if sizes else 0.0


def build_jobs(
    plan: ReplayPlan, policies: list[Policy], options: PolicyOptions, *, skipped: Callable[[str], None] | None = None
) -> list[ReplayJob]:
    """Return a job for each policy.

    With `skipped`, a policy that the trace has no data for is left out, and `skipped` is called with the reason; else
    it raises UserError.
    """
    options.require_users(policies)
    jobs = []
    for policy in policies:
        if policy.hints and plan.trace.hints is None and skipped is not None:
            skipped(f"{plan.path}: has no hints: policy {policy.name} is left out")
            continue
        jobs.append(plan.job(policy, options))
    return jobs

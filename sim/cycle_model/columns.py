"""A replay's events as columns, which is what compiled code reads."""

from collections.abc import Sequence

import numpy as np

from ...traces.errors import UserError
from ..replay_events import ReplayEvent
from ..replay_result import ReplayJob
from .tables import Trace


def trace_of(job: ReplayJob) -> Trace:
    """Return the job's events in columns; raises UserError for beats that the unit would drop as faulty."""
    trace = _columns(job.events, job.top_k)
    _require_sound(job, trace)
    return trace


def _columns(events: Sequence[ReplayEvent], top_k: tuple[int, ...]) -> Trace:
    beats = [beat for event in events for beat in event.beats]
    hints = [hint for event in events for hint in event.hints]
    return Trace(
        layer=np.array([event.layer for event in events], np.uint8),
        step_first=np.array([event.step_first for event in events], np.uint8),
        sequence_start=np.array([event.sequence_start for event in events], np.uint8),
        first_beat=_firsts([len(event.beats) for event in events]),
        expert=np.array([beat.expert for beat in beats], np.uint16),
        token_last=np.array([beat.token_last for beat in beats], np.uint8),
        first_hint=_firsts([len(event.hints) for event in events]),
        hint_layer=np.array([hint.layer for hint in hints], np.uint8),
        hint_expert=np.array([hint.expert for hint in hints], np.uint16),
        hint_score=np.array([hint.score for hint in hints], np.uint8),
        top_k=np.array(top_k, np.int64),
    )


def _firsts(counts: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def _require_sound(job: ReplayJob, trace: Trace) -> None:
    """Refuse what a trace never holds: it is dropped and counted as a fault, which this model does not follow."""
    settings = job.settings
    rules = (
        ("layer", trace.layer, settings["n_layers"]),
        ("expert", trace.expert, settings["n_experts"]),
        ("hinted layer", trace.hint_layer, settings["n_layers"]),
        ("hinted expert", trace.hint_expert, settings["n_experts"]),
    )
    for what, values, limit in rules:
        if len(values) and values.max() >= limit:
            raise UserError(f"{job.name}: {what} {values.max()}: must be below {limit}")
    if (np.diff(trace.first_beat) < 1).any():
        raise UserError(f"{job.name}: an event without router beats: must have one or more")
    token = np.concatenate([[0], np.cumsum(trace.token_last[:-1], dtype=np.int64)])
    event = np.repeat(np.arange(len(trace.layer)), np.diff(trace.first_beat))
    keys = (event + token) * settings["n_experts"] + trace.expert
    if len(np.unique(keys)) != len(keys):
        raise UserError(f"{job.name}: a token names an expert twice")

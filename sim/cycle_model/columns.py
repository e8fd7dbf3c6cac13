"""A job's events as the model reads them, once they are known to be what a unit takes without a fault."""

import numpy as np

from ...traces.errors import UserError
from ..event_columns import EventColumns
from ..key_ranking import next_uses
from ..replay_result import ReplayJob
from .tables import Trace


def trace_of(job: ReplayJob) -> Trace:
    """Return the job's events in columns; raises UserError for beats that the unit would drop as faulty."""
    events = EventColumns.of(job.events)
    _require_sound(job, events)
    return Trace(
        layer=events.layer,
        step_first=events.step_first,
        sequence_start=events.sequence_start,
        first_beat=events.first_beat,
        expert=events.expert,
        token_last=events.token_last,
        first_hint=events.first_hint,
        hint_layer=events.hint_layer,
        hint_expert=events.hint_expert,
        hint_score=events.hint_score,
        top_k=np.array(job.top_k, np.int64),
        next_use=next_uses(events)
        if job.ranking is not None and job.ranking.by == "next_use"
        else np.zeros(0, np.int64),
    )


def _require_sound(job: ReplayJob, events: EventColumns) -> None:
    """Refuse what a trace never holds: the unit drops it and counts a fault, which this model does not follow."""
    settings = job.settings
    rules = (
        ("layer", events.layer, settings["n_layers"]),
        ("expert", events.expert, settings["n_experts"]),
        ("hinted layer", events.hint_layer, settings["n_layers"]),
        ("hinted expert", events.hint_expert, settings["n_experts"]),
    )
    for what, values, limit in rules:
        if len(values) and values.max() >= limit:
            raise UserError(f"{job.name}: {what} {values.max()}: must be below {limit}")
    counts = np.diff(events.first_beat)
    if not len(counts) or counts.min() < 1:
        raise UserError(f"{job.name}: an event without router beats: a replay needs one or more in each")
    ends = np.zeros(len(events.expert), bool)
    ends[events.first_beat[1:] - 1] = True
    token = np.cumsum(np.concatenate([[0], (ends | (events.token_last != 0))[:-1]]))
    keys = np.sort(token * settings["n_experts"] + events.expert)
    if (keys[1:] == keys[:-1]).any():
        raise UserError(f"{job.name}: a token names an expert twice: a router selects it once")

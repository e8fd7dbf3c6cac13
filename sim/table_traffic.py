"""How many bits of a predictor's tables an event reads and writes.

Counted from the rules of the predictors (sim/predictors), not from a memory's width: a row is as many bits as its
entries have. A prediction reads the rows of the members it looks up, learning reads and writes them again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .event_columns import EventColumns
from .replay_result import ReplayJob
from .storage_bits import CONFIDENCE_BITS

Ints = NDArray[np.int64]


def row_bits(n_experts: int, entries: int) -> int:
    """Return the bits of a row of ST-MoE's correlation table."""
    return entries * ((n_experts - 1).bit_length() + CONFIDENCE_BITS)


def bits_of_events(job: ReplayJob) -> Ints:
    """Return the table bits that each event reads and writes, [events]; 0 without a predictor."""
    events = EventColumns.of(job.events)
    if job.predictor is None:
        return np.zeros(len(events), np.int64)
    if job.predictor == "weights":
        return _weights(events, job)
    return _st_moe(events, job, wraps=job.predictor == "st_moe")


def _st_moe(events: EventColumns, job: ReplayJob, *, wraps: bool) -> Ints:
    """Look up each member's row and the target's history; teach the rows of the event before; set the history."""
    n_layers, n_experts = job.settings["n_layers"], job.settings["n_experts"]
    row = row_bits(n_experts, job.settings["row_entries"])
    layer, members = events.layer.astype(np.int64), events.members
    predicts = np.ones(len(events), bool) if wraps else layer < n_layers - 1
    teaches = _follows(events, 1, n_layers)
    if not wraps:
        teaches &= layer != 0
    taught = np.where(teaches, _shifted(members, 1), 0)
    return predicts * (members * row + n_experts) + 2 * taught * row + n_experts


def _weights(events: EventColumns, job: ReplayJob) -> Ints:
    """Look up the rows of every source's members; teach the same rows when the predicted event has come."""
    n_layers, rules = job.settings["n_layers"], job.unit.weight_rules
    row = job.settings["n_experts"] * rules.bits
    members, found = events.members, np.zeros(len(events), np.int64)
    for source in rules.sources:
        # The latest event of the source's layer before the one at hand, which is its own source alone.
        back = (source[0] - rules.ahead) % n_layers
        if back == 0 and source != rules.own:
            continue
        found += np.where(_follows(events, back, n_layers), _shifted(members, back), 0)
    taught = np.where(_follows(events, rules.ahead, n_layers), _shifted(found, rules.ahead), 0)
    return (found + 2 * taught) * row


def _follows(events: EventColumns, back: int, n_layers: int) -> NDArray[np.bool_]:
    """Return where the event `back` events ago is of this sequence and `back` layers back on the ring."""
    number = np.arange(len(events))
    start = np.maximum.accumulate(np.where(events.sequence_start != 0, number, 0))
    layer = events.layer.astype(np.int64)
    return (number - back >= start) & ((_shifted(layer, back) + back) % n_layers == layer)


def _shifted(values: NDArray[Any], back: int) -> NDArray[Any]:
    """Return values of `back` events ago, 0 before the first."""
    return np.concatenate([np.zeros(min(back, len(values)), values.dtype), values[: max(0, len(values) - back)]])

"""Commits of candidates: the filter between predictors, hints and the prefetch queue."""

from ...hw.records import Filter, Kind, Source
from . import fields as f
from .compiled import compiled, inlined
from .directory import find
from .hints import hint_time, take_hint
from .predictor import predicted_time, take_predicted
from .queue import insert, is_queued, place_of
from .records import count_prefetch, keep_record

CANDIDATE = int(Kind.CANDIDATE)
PREDICTOR, HINT = int(Source.PREDICTOR), int(Source.HINT)
EXPIRED, RESIDENT, IN_FLIGHT = int(Filter.EXPIRED), int(Filter.RESIDENT), int(Filter.IN_FLIGHT)
IN_QUEUE, OVER_BUDGET, OVERFLOW = int(Filter.IN_QUEUE), int(Filter.OVER_BUDGET), int(Filter.OVERFLOW)
QUEUED, QUEUED_DROPPING = int(Filter.QUEUED), int(Filter.QUEUED_DROPPING)


@compiled
def candidate_time(mem, cycle):
    """Return the first cycle from `cycle` on in which a candidate of either source is on offer."""
    return min(hint_time(mem), predicted_time(mem, cycle))


@inlined
def commit_candidate(mem, log, idle):
    """Take the candidate on offer and filter it."""
    predicted = predicted_time(mem, idle) <= idle
    if hint_time(mem) <= idle and (mem[f.C_HINTS_FIRST] or not predicted):
        source = HINT
        target, layer, expert, score = take_hint(mem, idle)
    else:
        source = PREDICTOR
        target, layer, expert, score = take_predicted(mem, idle)
    mem[f.K_GENERATED] += 1
    count_prefetch(mem, f.N_GENERATED, layer, source)
    outcome, slot = _filter(mem, target, layer, expert, score, source)
    keep_record(mem, log, idle + 3, CANDIDATE, outcome, layer, expert, slot, score, source, target)
    mem[f.R_IDLE] = idle + 3


@inlined
def _filter(mem, target, layer, expert, score, source):
    """Return a candidate's outcome, and its slot if it has one."""
    ahead = target - mem[f.R_CURRENT] - 1
    if ahead < 0 or ahead >= mem[f.C_HORIZON]:
        return _drop(mem, f.K_EXPIRED, f.N_EXPIRED, layer, source, EXPIRED), 0
    slot = find(mem, layer, expert)
    if slot >= 0:
        row = f.SLOT + slot
        mem[row, f.S_STAMP] = target
        if mem[row, f.S_STATE] == f.RESIDENT:
            return _drop(mem, f.K_RESIDENT, f.N_RESIDENT, layer, source, RESIDENT), slot
        return _drop(mem, f.K_IN_FLIGHT, f.N_IN_FLIGHT, layer, source, IN_FLIGHT), slot
    if is_queued(mem, layer, expert):
        return _drop(mem, f.K_IN_QUEUE, f.N_IN_QUEUE, layer, source, IN_QUEUE), 0
    budget = f.TARGET + target % mem[f.C_HORIZON]
    if mem[budget, 0] >= mem[f.C_BUDGET]:
        return _drop(mem, f.K_OVER_BUDGET, f.N_OVER_BUDGET, layer, source, OVER_BUDGET), 0
    place = place_of(mem, target, score, expert)
    if place == mem[f.C_QUEUE_DEPTH]:
        return _drop(mem, f.K_OVERFLOW, f.N_OVERFLOW, layer, source, OVERFLOW), 0
    outcome = QUEUED
    if mem[f.R_QUEUE] == mem[f.C_QUEUE_DEPTH]:
        last = f.QUEUE + mem[f.R_QUEUE] - 1
        outcome = _drop(mem, f.K_OVERFLOW, f.N_OVERFLOW, mem[last, f.Q_LAYER], mem[last, f.Q_SOURCE], QUEUED_DROPPING)
    insert(mem, place, target, layer, expert, score, source)
    mem[budget, 0] += 1
    return outcome, 0


@compiled
def _drop(mem, counter, name, layer, source, outcome):
    mem[counter] += 1
    count_prefetch(mem, name, layer, source)
    return outcome

"""ST-MoE's correlation tables: what they predict, what they learn, and how long the hardware takes to learn it."""

from . import fields as f
from .compiled import compiled, inlined

MAX_SCORE = 255
MAX_CONFIDENCE, NEW_CONFIDENCE = 3, 2
HISTORY_SCORE = 2
ROW_CYCLES = 6
"""Cycles of a row besides its entries' and those of the walk: asking for it, waiting for it, writing it."""


@compiled
def score_experts(mem, tables, predictor, layer, target, members):
    """Add up the scores of the target layer's experts in `tables.score`."""
    score, seen = tables.score, tables.history[target]
    worth = HISTORY_SCORE if tables.history_valid[target] else 0
    for expert in range(mem[f.C_EXPERTS]):
        score[expert] = worth * seen[expert]
    for index in range(members):
        row = mem[f.MEMBER + index, 0]
        experts, confidences = tables.expert[predictor, layer, row], tables.confidence[predictor, layer, row]
        for entry in range(mem[f.C_ROW_ENTRIES]):
            score[experts[entry]] += confidences[entry]


@compiled
def rank_experts(mem, tables, first):
    """Sort the experts of `min_score` or more into the rows from `first` on; return their number, and the OR of all."""
    scores, experts = tables.score, mem[f.C_EXPERTS]
    least, count, ceiling = max(1, mem[f.C_MIN_SCORE]), 0, 0
    for expert in range(experts):
        score = min(scores[expert], MAX_SCORE)
        ceiling |= score
        if score < least:
            continue
        row = first + count
        while row > first and mem[row - 1, f.Z_SCORE] < score:
            mem[row, f.Z_EXPERT] = mem[row - 1, f.Z_EXPERT]
            mem[row, f.Z_SCORE] = mem[row - 1, f.Z_SCORE]
            row -= 1
        mem[row, f.Z_EXPERT] = expert
        mem[row, f.Z_SCORE] = score
        count += 1
    if mem[f.C_MIN_SCORE] == 0:
        for expert in range(experts):
            if scores[expert] == 0:
                mem[first + count, f.Z_EXPERT] = expert
                mem[first + count, f.Z_SCORE] = 0
                count += 1
    return count, ceiling


@compiled
def learn(mem, tables, predictor, layer, previous, members):
    """Teach the rows of the previous event's members, of `layer`, the current ones; return the cycles it takes."""
    steps = mem[f.C_TABLE_ENTRIES] // mem[f.C_LANES]
    cycles = 0
    for index in range(previous):
        row = mem[f.PREVIOUS + index, 0]
        experts, confidences = tables.expert[predictor, layer, row], tables.confidence[predictor, layer, row]
        walked = _learn_row(mem, experts, confidences, tables.in_event, members)
        cycles += ROW_CYCLES + steps + walked
    return cycles


@inlined
def _learn_row(mem, experts, confidences, in_event, members):
    """Teach one row; return how many members are walked for replacements."""
    entries = mem[f.C_ROW_ENTRIES]
    marked = 0
    for entry in range(entries):
        confidence = confidences[entry]
        if in_event[experts[entry]]:
            confidences[entry] = min(MAX_CONFIDENCE, confidence + 1)
        elif confidence > 0:
            confidences[entry] = confidence - 1
        else:
            marked |= 1 << entry
    walked = 0
    while marked and walked < members:
        member = mem[f.MEMBER + walked, 0]
        walked += 1
        held = False
        for entry in range(entries):
            held |= experts[entry] == member
        if not held:
            entry = 0
            while not marked >> entry & 1:
                entry += 1
            marked &= marked - 1
            experts[entry] = member
            confidences[entry] = NEW_CONFIDENCE
    return walked

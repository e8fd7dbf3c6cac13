"""When a prediction's experts come out of the ranking, best first, one behind the other.

The hardware walks the score levels downwards, a level a cycle, hands the experts found at a level on in groups of 16,
and offers a group's experts one by one; an expert is on offer once it is known whether another follows. All of that
follows from three cycles: when a level is examined, when its first group is taken apart, and when the expert before
was taken.
"""

from . import fields as f
from .compiled import compiled, inlined

GROUP = 16


@compiled
def ranked_row(mem, prediction):
    """Return the row of `mem` with a prediction's best expert; the others follow."""
    return f.RANKED + prediction % (mem[f.C_MAX_EXPERTS] + 4) * mem[f.C_MAX_EXPERTS]


@compiled
def _same_group(mem, row, other):
    return (
        mem[row, f.Z_SCORE] == mem[other, f.Z_SCORE]
        and mem[row, f.Z_EXPERT] // GROUP == mem[other, f.Z_EXPERT] // GROUP
    )


@compiled
def begin_ranking(mem, prediction):
    """Start the walk of the prediction that is to be emitted next; its D_START is known."""
    row = f.PREDICTION + prediction % f.PREDICTIONS
    mem[f.R_RANK] = 0
    mem[f.R_OFFERED] = f.INF
    if mem[row, f.D_COUNT] == 0:
        return
    start = mem[row, f.D_START] + 1
    level = mem[ranked_row(mem, prediction), f.Z_SCORE]
    examined = start + mem[row, f.D_CEILING] - level
    mem[f.R_RANK_LEVEL] = level
    mem[f.R_RANK_BEGIN] = examined + 1
    mem[f.R_NEXT_GROUP] = examined + 2
    mem[f.R_HELD] = mem[f.R_NEXT_GROUP] + 1
    _offer(mem, prediction)


@inlined
def _offer(mem, prediction):
    """Find out when the held expert is on offer: when its successor is in the last stage, or none is left."""
    row, first = f.PREDICTION + prediction % f.PREDICTIONS, ranked_row(mem, prediction)
    rank, held = mem[f.R_RANK], mem[f.R_HELD]
    if rank + 1 == mem[row, f.D_COUNT]:
        mem[f.R_OFFERED] = max(held, _all_found(mem, first + rank)) + 1
    elif _same_group(mem, first + rank, first + rank + 1):
        mem[f.R_OFFERED] = held + 1
    else:
        _reach_group(mem, mem[first + rank + 1, f.Z_SCORE])
        mem[f.R_OFFERED] = max(held, mem[f.R_NEXT_GROUP]) + 1


@compiled
def _reach_group(mem, level):
    """Bring the next group, which is of this level, to the last stage."""
    moved, held = mem[f.R_NEXT_GROUP], mem[f.R_HELD]
    if level != mem[f.R_RANK_LEVEL]:
        examined = mem[f.R_RANK_BEGIN] + mem[f.R_RANK_LEVEL] - 1 - level
        mem[f.R_RANK_BEGIN] = max(examined + 1, moved + 1)
        mem[f.R_RANK_LEVEL] = level
        moved = mem[f.R_RANK_BEGIN]
    mem[f.R_NEXT_GROUP] = max(moved + 1, held)


@compiled
def _all_found(mem, row):
    """Return the last cycle in which an expert behind the last one may still be found."""
    moved, begin, level = mem[f.R_NEXT_GROUP], mem[f.R_RANK_BEGIN], mem[f.R_RANK_LEVEL]
    least = mem[f.C_MIN_SCORE]
    if least > 0:
        return begin + level - least
    # Experts beyond the live ones score 0 too: their groups come up, and turn out to be empty.
    empty = _empty_groups(mem, row)
    if level != 0:
        examined = begin + level - 1
        if empty == 0:
            return examined + 1
        begin = max(examined + 1, moved + 1)
        moved = begin
    if empty:
        moved = max(moved + 1, mem[f.R_HELD]) + empty - 1
    return max(begin, moved)


@compiled
def _empty_groups(mem, row):
    """Return how many groups of level 0 hold only experts beyond the live ones."""
    found = 0
    for group in range(mem[f.C_EXPERTS] // GROUP, (mem[f.C_MAX_EXPERTS] + GROUP - 1) // GROUP):
        shared = mem[row, f.Z_SCORE] == 0 and mem[row, f.Z_EXPERT] // GROUP == group
        beyond = min(mem[f.C_MAX_EXPERTS], (group + 1) * GROUP) > mem[f.C_EXPERTS]
        found += beyond and not shared
    return found


@inlined
def take_ranked(mem, prediction, cycle):
    """Take the expert on offer in `cycle`; the next one is held from then on, or later."""
    row, first = f.PREDICTION + prediction % f.PREDICTIONS, ranked_row(mem, prediction)
    rank = mem[f.R_RANK]
    mem[f.R_RANK] = rank + 1
    if rank + 1 == mem[row, f.D_COUNT]:
        mem[f.R_OFFERED] = f.INF
        return
    found = mem[f.R_HELD] if _same_group(mem, first + rank, first + rank + 1) else mem[f.R_NEXT_GROUP]
    mem[f.R_HELD] = max(found + 1, cycle)
    _offer(mem, prediction)

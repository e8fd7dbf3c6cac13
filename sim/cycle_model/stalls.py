"""Which bucket each cycle falls into: the states that decide it change at known cycles, and all between are alike."""

from . import fields as f
from .compiled import compiled, inlined


@compiled
def post(mem, cycle, kind, value):
    """Let a state change from `cycle` on; changes of one cycle are applied in the order in which they are posted."""
    if mem[f.R_CHANGE_FIRST] == mem[f.R_PENDING]:
        mem[f.R_CHANGE_FIRST] = mem[f.R_PENDING] = 0
    elif mem[f.R_PENDING] == f.CHANGES:
        _move_up(mem)
    row = f.CHANGE + mem[f.R_PENDING]
    first = f.CHANGE + mem[f.R_CHANGE_FIRST]
    while row > first and mem[row - 1, f.A_TIME] > cycle:
        mem[row, f.A_TIME] = mem[row - 1, f.A_TIME]
        mem[row, f.A_KIND] = mem[row - 1, f.A_KIND]
        mem[row, f.A_VALUE] = mem[row - 1, f.A_VALUE]
        row -= 1
    mem[row, f.A_TIME] = cycle
    mem[row, f.A_KIND] = kind
    mem[row, f.A_VALUE] = value
    mem[f.R_PENDING] += 1


@compiled
def _move_up(mem):
    gone = mem[f.R_CHANGE_FIRST]
    if gone == 0:
        raise RuntimeError("cycle model: more changes to come than it has room for")
    for row in range(f.CHANGE + gone, f.CHANGE + mem[f.R_PENDING]):
        for column in range(f.N_CHANGE):
            mem[row - gone, column] = mem[row, column]
    mem[f.R_CHANGE_FIRST] = 0
    mem[f.R_PENDING] -= gone


@inlined
def next_change(mem):
    """Return when the next posted change comes."""
    if mem[f.R_CHANGE_FIRST] == mem[f.R_PENDING]:
        return f.INF
    return mem[f.CHANGE + mem[f.R_CHANGE_FIRST], f.A_TIME]


@inlined
def apply_change(mem, kind, value):
    """Apply a change to what decides the buckets."""
    if kind == f.CHANGE_GRANTED:
        mem[f.R_GRANT_VALID] = 0
        mem[f.R_IDLE_ELEMENTS] -= 1
        mem[f.R_UNGRANTED] -= 1
    elif kind == f.CHANGE_IDLE:
        mem[f.R_IDLE_ELEMENTS] += value
    elif kind == f.CHANGE_DEMAND_BUSY:
        mem[f.R_DEMAND_BUSY] += value
    elif kind == f.CHANGE_MISSES:
        mem[f.R_MISSES_QUEUED] += value
    elif kind == f.CHANGE_BLOCKED:
        mem[f.R_STALL_BLOCKED] = value
    elif kind == f.CHANGE_CLASSIFIED:
        mem[f.R_CLASSIFYING] = 0
    elif kind == f.CHANGE_CLOSED:
        mem[f.R_EVENT_OPEN] = 1
        mem[f.R_CLASSIFYING] = 1
        mem[f.R_UNGRANTED] = value
    else:
        mem[f.R_EVENT_OPEN] = 0


@compiled
def _computes(mem):
    """Return whether the open event's cycles are compute: no element is idle, or none is needed any more."""
    return mem[f.R_IDLE_ELEMENTS] == 0 or mem[f.R_UNGRANTED] == 0


@compiled
def count_lost(mem, lost):
    """Move `lost` cycles, in which an element lost its bank, from compute to their own bucket."""
    if mem[f.R_EVENT_OPEN] and _computes(mem):
        mem[f.K_STALL_BANK] += lost
        mem[f.K_COMPUTE] -= lost


@inlined
def count_cycles(mem):
    """Put the cycles since the last change, all alike, into their bucket.

    Cycles outside of events are what is left of all at the end.
    """
    cycles = mem[f.R_ACCOUNTED] - mem[f.R_COUNTED]
    mem[f.R_COUNTED] = mem[f.R_ACCOUNTED]
    if not mem[f.R_EVENT_OPEN]:
        return
    if _computes(mem):
        mem[f.K_COMPUTE] += cycles
    elif mem[f.R_GRANT_VALID] or mem[f.R_CLASSIFYING]:
        mem[f.K_STALL_GRANT] += cycles
    elif mem[f.R_DEMAND_BUSY]:
        mem[f.K_STALL_LINK] += cycles
    elif mem[f.R_MISSES_QUEUED] == 0:
        mem[f.K_STALL_GRANT] += cycles
    elif mem[f.R_STALL_BLOCKED]:
        mem[f.K_STALL_SLOT] += cycles
    else:
        mem[f.K_STALL_QUEUE] += cycles

"""Which bucket each cycle falls into: the states that decide it change at known cycles, between which all cycles agree."""

from . import fields as f
from .compiled import compiled


@compiled
def post(reg, mem, cycle, kind, value):
    """Let a state change from `cycle` on; changes of one cycle are applied in the order in which they are posted."""
    if reg[f.R_CHANGE_FIRST] == reg[f.R_PENDING]:
        reg[f.R_CHANGE_FIRST] = reg[f.R_PENDING] = 0
    elif reg[f.R_PENDING] == f.CHANGES:
        _move_up(reg, mem)
    row = f.CHANGE + reg[f.R_PENDING]
    first = f.CHANGE + reg[f.R_CHANGE_FIRST]
    while row > first and mem[row - 1, f.A_TIME] > cycle:
        mem[row, f.A_TIME] = mem[row - 1, f.A_TIME]
        mem[row, f.A_KIND] = mem[row - 1, f.A_KIND]
        mem[row, f.A_VALUE] = mem[row - 1, f.A_VALUE]
        row -= 1
    mem[row, f.A_TIME] = cycle
    mem[row, f.A_KIND] = kind
    mem[row, f.A_VALUE] = value
    reg[f.R_PENDING] += 1


@compiled
def _move_up(reg, mem):
    gone = reg[f.R_CHANGE_FIRST]
    if gone == 0:
        raise RuntimeError("cycle model: more changes to come than it has room for")
    for row in range(f.CHANGE + gone, f.CHANGE + reg[f.R_PENDING]):
        for column in range(f.N_CHANGE):
            mem[row - gone, column] = mem[row, column]
    reg[f.R_CHANGE_FIRST] = 0
    reg[f.R_PENDING] -= gone


@compiled
def next_change(reg, mem):
    """Return when the next posted change comes."""
    if reg[f.R_CHANGE_FIRST] == reg[f.R_PENDING]:
        return f.INF
    return mem[f.CHANGE + reg[f.R_CHANGE_FIRST], f.A_TIME]


@compiled
def apply_change(reg, kind, value):
    """Apply a change of anything but the readers."""
    if kind == f.CHANGE_OPEN:
        reg[f.R_EVENT_OPEN] = value
    elif kind == f.CHANGE_IDLE_ELEMENTS:
        reg[f.R_IDLE_ELEMENTS] += value
    elif kind == f.CHANGE_UNGRANTED:
        reg[f.R_UNGRANTED] += value
    elif kind == f.CHANGE_GRANT_VALID:
        reg[f.R_GRANT_VALID] = value
    elif kind == f.CHANGE_CLASSIFYING:
        reg[f.R_CLASSIFYING] = value
    elif kind == f.CHANGE_DEMAND_BUSY:
        reg[f.R_DEMAND_BUSY] += value
    elif kind == f.CHANGE_BLOCKED:
        reg[f.R_STALL_BLOCKED] = value
    elif kind == f.CHANGE_MISSES:
        reg[f.R_MISSES_QUEUED] += value


@compiled
def count_cycles(reg, cycles, lost):
    """Put `cycles` equal ones into their bucket; in `lost` of them an element lost its bank.

    Cycles outside of events are what is left of all at the end.
    """
    if not reg[f.R_EVENT_OPEN]:
        return
    if reg[f.R_IDLE_ELEMENTS] == 0 or reg[f.R_UNGRANTED] == 0:
        reg[f.K_STALL_BANK] += lost
        reg[f.K_COMPUTE] += cycles - lost
    elif reg[f.R_GRANT_VALID] or reg[f.R_CLASSIFYING]:
        reg[f.K_STALL_GRANT] += cycles
    elif reg[f.R_DEMAND_BUSY]:
        reg[f.K_STALL_LINK] += cycles
    elif reg[f.R_MISSES_QUEUED] == 0:
        reg[f.K_STALL_GRANT] += cycles
    elif reg[f.R_STALL_BLOCKED]:
        reg[f.K_STALL_SLOT] += cycles
    else:
        reg[f.K_STALL_QUEUE] += cycles

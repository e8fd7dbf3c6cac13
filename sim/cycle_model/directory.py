"""The residency directory: which slot holds an expert, the order of recency, and the slot for the next one."""

from ...hw.records import Issue, VictimPolicy
from . import fields as f
from .compiled import compiled

LRU = int(VictimPolicy.LRU)
ISSUE_FREE, ISSUE_EVICT, ISSUE_OWN = int(Issue.FREE), int(Issue.EVICT), int(Issue.OWN_RELEASED)
ISSUE_ABORT, ISSUE_NONE = int(Issue.ABORT), int(Issue.WAIT)


@compiled
def find(mem, layer, expert):
    """Return the slot that holds an expert or awaits it, -1 for none."""
    key = layer * mem[f.C_EXPERTS] + expert
    slot = mem[f.KEY + key // f.N_COLUMNS, key % f.N_COLUMNS] - 1
    row = f.SLOT + slot
    if slot < 0 or mem[row, f.S_LAYER] != layer or mem[row, f.S_EXPERT] != expert:
        return -1
    state = mem[row, f.S_STATE]
    return slot if state == f.RESIDENT or state == f.FILLING else -1


@compiled
def _leave_order(mem, slot):
    before, after = mem[f.SLOT + slot, f.S_BEFORE], mem[f.SLOT + slot, f.S_AFTER]
    if before < 0:
        mem[f.R_LRU_FIRST] = after
    else:
        mem[f.SLOT + before, f.S_AFTER] = after
    if after < 0:
        mem[f.R_LRU_LAST] = before
    else:
        mem[f.SLOT + after, f.S_BEFORE] = before


@compiled
def _join_order(mem, slot):
    last = mem[f.R_LRU_LAST]
    mem[f.SLOT + slot, f.S_BEFORE] = last
    mem[f.SLOT + slot, f.S_AFTER] = -1
    mem[f.R_LRU_LAST] = slot
    if last < 0:
        mem[f.R_LRU_FIRST] = slot
    else:
        mem[f.SLOT + last, f.S_AFTER] = slot


@compiled
def touch(mem, slot):
    """Make a slot the most recent one."""
    _leave_order(mem, slot)
    _join_order(mem, slot)


@compiled
def free_slot(mem, slot):
    """Empty a slot."""
    row = f.SLOT + slot
    mem[row, f.S_STATE] = f.FREE
    mem[row, f.S_UNUSED] = 0
    _leave_order(mem, slot)
    mem[f.R_FREE_SLOTS] += 1
    mem[f.R_FREE_FROM] = min(mem[f.R_FREE_FROM], slot)


@compiled
def allocate(mem, slot, layer, expert, stamp):
    """Give a slot, free or not, to an expert that is on its way."""
    row = f.SLOT + slot
    if mem[row, f.S_STATE] == f.FREE:
        mem[f.R_FREE_SLOTS] -= 1
        _join_order(mem, slot)
    else:
        touch(mem, slot)
    mem[row, f.S_STATE] = f.FILLING
    mem[row, f.S_LAYER] = layer
    mem[row, f.S_EXPERT] = expert
    mem[row, f.S_STAMP] = stamp
    mem[row, f.S_RELEASED] = 0
    mem[row, f.S_LATE] = 0
    key = layer * mem[f.C_EXPERTS] + expert
    mem[f.KEY + key // f.N_COLUMNS, key % f.N_COLUMNS] = slot + 1
    mem[f.R_TICK] += 1


@compiled
def _staleness(mem, row):
    """Return how early a slot gives way: by its key's rank, or by how long its layer is not to come."""
    layer = mem[row, f.S_LAYER]
    if mem[f.C_RANKING] == f.RANK_NONE:
        return (layer - mem[f.R_LAYER]) % mem[f.C_LAYERS]
    key = layer * mem[f.C_EXPERTS] + mem[row, f.S_EXPERT]
    return -mem[f.KEY_RANK + key // f.N_COLUMNS, key % f.N_COLUMNS]


@compiled
def rank_use(mem, layer, expert, next_use):
    """Move a key's rank on as an event uses it; `next_use` is the event that uses it next."""
    key = layer * mem[f.C_EXPERTS] + expert
    row, column = f.KEY_RANK + key // f.N_COLUMNS, key % f.N_COLUMNS
    if mem[f.C_RANKING] == f.RANK_USES:
        mem[row, column] += 1
    elif mem[f.C_RANKING] == f.RANK_NEXT_USE:
        mem[row, column] = -next_use


@compiled
def search(mem, demand, deadline):
    """Return the outcome of a search, and its slot.

    ISSUE_NONE stands for none, be it a miss that waits or a prefetch without a victim.
    """
    if mem[f.R_FREE_SLOTS]:
        slot = mem[f.R_FREE_FROM]
        while mem[f.SLOT + slot, f.S_STATE] != f.FREE:
            slot += 1
        mem[f.R_FREE_FROM] = slot
        return ISSUE_FREE, slot
    passed, coming, own, flying = -1, -1, -1, -1
    passed_stale, coming_stale, flying_stamp = -f.INF, -f.INF, 0
    lru = mem[f.C_VICTIM] == LRU and mem[f.C_RANKING] == f.RANK_NONE
    slot = mem[f.R_LRU_FIRST]
    while slot >= 0:
        row = f.SLOT + slot
        state, pinned, stamp = mem[row, f.S_STATE], mem[row, f.S_PINNED], mem[row, f.S_STAMP]
        if state == f.RESIDENT and not pinned:
            stale = 0 if lru else _staleness(mem, row)
            if stamp <= mem[f.R_CURRENT]:
                if stale > passed_stale:
                    passed, passed_stale = slot, stale
                    if lru:
                        break
            elif (demand or stamp >= deadline) and stale > coming_stale:
                coming, coming_stale = slot, stale
        elif state == f.RESIDENT and own < 0 and mem[row, f.S_RELEASED]:
            own = slot
        elif state == f.FILLING and not pinned:
            if flying < 0 or stamp > flying_stamp or (stamp == flying_stamp and slot < flying):
                flying, flying_stamp = slot, stamp
        slot = mem[row, f.S_AFTER]
    if passed >= 0:
        return ISSUE_EVICT, passed
    if coming >= 0:
        return ISSUE_EVICT, coming
    if demand and own >= 0:
        return ISSUE_OWN, own
    if demand and flying >= 0:
        return ISSUE_ABORT, flying
    return ISSUE_NONE, 0


@compiled
def pin(mem, slot):
    """Keep a slot until the open event ends."""
    if not mem[f.SLOT + slot, f.S_PINNED]:
        mem[f.SLOT + slot, f.S_PINNED] = 1
        mem[f.PINNED + mem[f.R_PINNED], 0] = slot
        mem[f.R_PINNED] += 1


@compiled
def unpin_all(mem):
    """End all pins."""
    for row in range(f.PINNED, f.PINNED + mem[f.R_PINNED]):
        slot = f.SLOT + mem[row, 0]
        mem[slot, f.S_PINNED] = 0
        mem[slot, f.S_RELEASED] = 0
    mem[f.R_PINNED] = 0

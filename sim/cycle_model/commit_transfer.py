"""Commits of transfers: a slot is sought for an expert, a transfer has ended."""

from ...hw.records import Fill, GrantStatus, Issue, Kind
from . import fields as f
from .compiled import compiled
from .directory import ISSUE_ABORT, ISSUE_EVICT, ISSUE_NONE, ISSUE_OWN, allocate, find, free_slot, pin, search
from .dma import abort, load, take_status
from .elements import push_grant
from .queue import pop
from .records import count_prefetch, end_unused, keep_record
from .stalls import post

FILL, DRAIN, ISSUE = int(Kind.FILL), int(Kind.DRAIN), int(Kind.ISSUE)
DONE = int(Fill.DONE)
NO_VICTIM, PRESENT = int(Issue.NO_VICTIM), int(Issue.PRESENT)
GRANT_LATE, GRANT_MISS = int(GrantStatus.LATE), int(GrantStatus.MISS)


@compiled
def unblock(mem, cycle):
    """Let a waiting miss search again after a commit in `cycle`."""
    if mem[f.R_BLOCKED]:
        mem[f.R_BLOCKED] = 0
        post(mem, cycle + 1, f.CHANGE_BLOCKED, 0)


@compiled
def commit_fill(mem, log, idle):
    """Take the status of a transfer: its slot is complete, or empty if it had been aborted."""
    cycle = idle + 1
    entry = take_status(mem, cycle)
    slot = mem[entry, f.X_SLOT]
    row = f.SLOT + slot
    if mem[entry, f.X_ABORTED]:
        keep_record(mem, log, cycle + 1, DRAIN, 0, 0, 0, slot, 0, 0, 0)
        free_slot(mem, slot)
    else:
        layer, expert = mem[row, f.S_LAYER], mem[row, f.S_EXPERT]
        keep_record(mem, log, cycle + 1, FILL, DONE, layer, expert, slot, 0, 0, 0)
        mem[row, f.S_STATE] = f.RESIDENT
        mem[row, f.S_FILLED] = cycle + 1
        if mem[row, f.S_PINNED]:
            push_grant(mem, cycle, expert, slot, GRANT_LATE if mem[row, f.S_LATE] else GRANT_MISS)
    unblock(mem, cycle)
    mem[f.R_IDLE] = cycle + 1


@compiled
def commit_miss(mem, log, idle):
    """Seek a slot for the oldest miss."""
    cycle = idle + 2 + mem[f.C_SEARCH]
    expert = mem[f.MISS + mem[f.R_MISS_HEAD], 0]
    layer, current = mem[f.R_LAYER], mem[f.R_CURRENT]
    outcome, slot = search(mem, True, current)
    row = f.SLOT + slot
    keep_record(mem, log, cycle + 1, ISSUE, outcome, layer, expert, slot, 0, 0, current)
    mem[f.R_IDLE] = cycle + 1
    if outcome in (ISSUE_NONE, ISSUE_ABORT):
        if outcome == ISSUE_ABORT:
            end_unused(mem, slot, f.K_ABORTED, f.N_ABORTED)
            mem[row, f.S_STATE] = f.DRAINING
            abort(mem, slot, cycle)
        mem[f.R_BLOCKED] = 1
        post(mem, cycle + 1, f.CHANGE_BLOCKED, 1)
        return
    mem[f.K_DEMAND_ISSUED] += 1
    _take_over(mem, outcome, slot, layer, expert, current)
    pin(mem, slot)
    mem[f.R_MISS_HEAD] += 1
    post(mem, cycle + 1, f.CHANGE_MISSES, -1)
    load(mem, f.DEMAND, slot, cycle)


@compiled
def _take_over(mem, outcome, slot, layer, expert, stamp):
    if outcome in (ISSUE_EVICT, ISSUE_OWN):
        mem[f.K_EVICTIONS] += 1
        end_unused(mem, slot, f.K_USELESS, f.N_USELESS)
    allocate(mem, slot, layer, expert, stamp)


@compiled
def commit_prefetch(mem, log, idle):
    """Seek a slot for the first queued prefetch, unless its expert has come meanwhile."""
    deadline, layer = mem[f.QUEUE, f.Q_DEADLINE], mem[f.QUEUE, f.Q_LAYER]
    expert, source = mem[f.QUEUE, f.Q_EXPERT], mem[f.QUEUE, f.Q_SOURCE]
    pop(mem)
    present = find(mem, layer, expert)
    if present >= 0:
        keep_record(mem, log, idle + 3, ISSUE, PRESENT, layer, expert, present, 0, 1, deadline)
        mem[f.SLOT + present, f.S_STAMP] = deadline
        mem[f.K_RESIDENT] += 1
        count_prefetch(mem, f.N_RESIDENT, layer, source)
        mem[f.R_IDLE] = idle + 3
        return
    cycle = idle + 4 + mem[f.C_SEARCH]
    mem[f.R_IDLE] = cycle + 1
    outcome, slot = search(mem, False, deadline)
    if outcome == ISSUE_NONE:
        keep_record(mem, log, cycle + 1, ISSUE, NO_VICTIM, layer, expert, 0, 0, 1, deadline)
        mem[f.K_NO_VICTIM] += 1
        count_prefetch(mem, f.N_NO_VICTIM, layer, source)
        return
    keep_record(mem, log, cycle + 1, ISSUE, outcome, layer, expert, slot, 0, 1, deadline)
    mem[f.K_ISSUED] += 1
    count_prefetch(mem, f.N_ISSUED, layer, source)
    _take_over(mem, outcome, slot, layer, expert, deadline)
    mem[f.SLOT + slot, f.S_UNUSED] = 1
    mem[f.SLOT + slot, f.S_SOURCE] = source
    load(mem, f.PREFETCH, slot, cycle)

"""Processing elements, the grants on their way to them and the releases on their way back."""

from . import fields as f
from .compiled import compiled, inlined
from .stalls import count_cycles, post

QUEUED = 2
"""Cycles from the entry of a queue of Amaranth's lib.fifo, buffered, to its output."""
AFTER_READ = 2
"""Cycles that an expert takes at least beyond its reads."""


@compiled
def push_grant(mem, cycle, expert, slot, status):
    """Let the commit port grant an expert in `cycle`."""
    row = f.GRANT + mem[f.R_GRANT_TAIL] % f.GRANTS
    mem[f.R_GRANT_TAIL] += 1
    mem[row, f.G_WRITTEN] = cycle
    mem[row, f.G_EXPERT] = expert
    mem[row, f.G_SLOT] = slot
    mem[row, f.G_STATUS] = status


@inlined
def grant_time(mem):
    """Return when an element takes the next grant; INF if none is there, or all are busy."""
    if mem[f.R_GRANT_HEAD] == mem[f.R_GRANT_TAIL]:
        return f.INF
    written = mem[f.GRANT + mem[f.R_GRANT_HEAD] % f.GRANTS, f.G_WRITTEN]
    offered = max(written + QUEUED, mem[f.R_LAST_GRANT] + 1)
    idle = f.INF
    for element in range(f.ELEMENT, f.ELEMENT + mem[f.C_ELEMENTS]):
        idle = min(idle, mem[element, f.P_FREE])
    return f.INF if idle == f.INF else max(offered, idle)


@inlined
def take_grant(mem, cycle):
    """Let the lowest idle element take the next grant; return its row in `mem`."""
    element = f.ELEMENT
    while mem[element, f.P_FREE] > cycle:
        element += 1
    row = f.GRANT + mem[f.R_GRANT_HEAD] % f.GRANTS
    mem[f.R_GRANT_HEAD] += 1
    mem[f.R_LAST_GRANT] = cycle
    mem[element, f.P_BUSY] = 1
    mem[element, f.P_FREE] = f.INF
    mem[element, f.P_EXPERT] = mem[row, f.G_EXPERT]
    mem[element, f.P_SLOT] = mem[row, f.G_SLOT]
    mem[element, f.P_STATUS] = mem[row, f.G_STATUS]
    mem[element, f.P_BANK] = mem[row, f.G_SLOT] % mem[f.C_BANKS]
    mem[element, f.P_FINISH] = cycle + 1 + mem[f.C_EXPERT_BEATS]
    find_first_done(mem)
    count_cycles(mem)
    mem[f.R_GRANT_VALID] = 1
    post(mem, cycle + 1, f.CHANGE_GRANTED, element)
    return element


@compiled
def _done_after(mem):
    """Return the cycles from the end of an element's read to its offering the release."""
    return max(mem[f.C_EXPERT_CYCLES] - mem[f.C_EXPERT_BEATS], AFTER_READ) - 1


@inlined
def find_first_done(mem):
    """Find out when the first busy element offers its release; reads that wait for another's do not count."""
    finish = f.INF
    for element in range(f.ELEMENT, f.ELEMENT + mem[f.C_ELEMENTS]):
        if mem[element, f.P_BUSY]:
            finish = min(finish, mem[element, f.P_FINISH])
    mem[f.R_FIRST_DONE] = f.INF if finish == f.INF else finish + _done_after(mem)


@inlined
def push_time(mem):
    """Return when the next release enters its queue; INF if that is not known yet."""
    if mem[f.R_FIRST_DONE] == f.INF:
        return f.INF
    return max(mem[f.R_FIRST_DONE], mem[f.R_LAST_PUSH] + 1, _room_time(mem))


@inlined
def _room_time(mem):
    """Return since when the queue of releases has room; INF if it has none."""
    waiting = mem[f.R_RELEASE_TAIL] - mem[f.R_RELEASE_HEAD]
    if waiting < mem[f.C_RELEASE_ROOM]:
        return mem[f.R_ROOM_FROM]
    if waiting > mem[f.C_RELEASE_ROOM]:
        return f.INF
    # The queue's memory is full until its head moves on to the output register.
    return max(_head(mem, f.L_PUSHED) + 1, mem[f.R_LAST_POP]) + 1


@compiled
def _head(mem, column):
    return mem[f.RELEASE + mem[f.R_RELEASE_HEAD] % f.RELEASES, column]


@inlined
def push_release(mem, cycle):
    """Queue the release of the lowest element that offers one."""
    element, finished = f.ELEMENT, cycle - _done_after(mem)
    while not (mem[element, f.P_BUSY] and mem[element, f.P_FINISH] <= finished):
        element += 1
    row = f.RELEASE + mem[f.R_RELEASE_TAIL] % f.RELEASES
    mem[f.R_RELEASE_TAIL] += 1
    mem[f.R_LAST_PUSH] = cycle
    mem[row, f.L_PUSHED] = cycle
    mem[row, f.L_EXPERT] = mem[element, f.P_EXPERT]
    mem[row, f.L_SLOT] = mem[element, f.P_SLOT]
    mem[row, f.L_STATUS] = mem[element, f.P_STATUS]
    mem[element, f.P_BUSY] = 0
    mem[element, f.P_FREE] = cycle + 1
    find_first_done(mem)
    post(mem, cycle + 1, f.CHANGE_IDLE, 1)


@compiled
def release_time(mem):
    """Return when the next release is on offer to the commit port."""
    if mem[f.R_RELEASE_HEAD] == mem[f.R_RELEASE_TAIL]:
        return f.INF
    return max(_head(mem, f.L_PUSHED) + QUEUED, mem[f.R_LAST_POP] + 1)


@compiled
def pop_release(mem, cycle):
    """Take the release on offer, in `cycle`; return its row in `mem`."""
    row = f.RELEASE + mem[f.R_RELEASE_HEAD] % f.RELEASES
    mem[f.R_ROOM_FROM] = min(_room_time(mem), cycle + 1)
    mem[f.R_RELEASE_HEAD] += 1
    mem[f.R_LAST_POP] = cycle
    return row

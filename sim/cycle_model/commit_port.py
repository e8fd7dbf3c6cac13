"""The one commit port: which request it takes next, and when."""

from . import fields as f
from .commit_candidate import candidate_time, commit_candidate
from .commit_event import commit_close, commit_release
from .commit_transfer import commit_fill, commit_miss, commit_prefetch
from .compiled import compiled, inlined
from .dma import engine_ready, status_time
from .elements import release_time

FILL, RELEASE, CLOSE, CANDIDATE, MISS, PREFETCH = range(6)


@inlined
def next_commit(mem):
    """Return when the port takes its next request, as far as is known now, and note which in R_COMMIT."""
    idle = mem[f.R_IDLE]
    first = max(idle, status_time(mem))
    mem[f.R_COMMIT] = FILL
    if first > idle:
        first = _sooner(mem, first, max(idle, release_time(mem)), RELEASE)
    if first > idle and not mem[f.R_OPEN]:
        first = _sooner(mem, first, max(idle, mem[f.R_CLOSED]), CLOSE)
    if first > idle:
        first = _sooner(mem, first, max(idle, candidate_time(mem, idle)), CANDIDATE)
    if first > idle:
        if mem[f.R_MISS_HEAD] < mem[f.R_MISS_TAIL]:
            if not mem[f.R_BLOCKED]:
                first = _sooner(mem, first, max(idle, engine_ready(mem, f.DEMAND)), MISS)
        elif mem[f.R_QUEUE]:
            first = _sooner(mem, first, max(idle, engine_ready(mem, f.PREFETCH)), PREFETCH)
    return first


@compiled
def moves_transfers(mem):
    """Return whether the request noted may begin, stop or hasten a transfer; reads must be followed up to it then."""
    return mem[f.R_COMMIT] in (CLOSE, MISS, PREFETCH) or mem[f.C_EVICT_AT_END] != 0


@compiled
def _sooner(mem, first, cycle, kind):
    if cycle < first:
        mem[f.R_COMMIT] = kind
        return cycle
    return first


@inlined
def commit(mem, store, cycle):
    """Take the request that `next_commit` has noted, in `cycle`."""
    kind = mem[f.R_COMMIT]
    if kind == FILL:
        commit_fill(mem, store.log, cycle)
    elif kind == RELEASE:
        commit_release(mem, store.log, store.step_end, cycle)
    elif kind == CLOSE:
        commit_close(mem, store.log, store.slack, cycle)
    elif kind == CANDIDATE:
        commit_candidate(mem, store.log, cycle)
    elif kind == MISS:
        commit_miss(mem, store.log, cycle)
    else:
        commit_prefetch(mem, store.log, cycle)

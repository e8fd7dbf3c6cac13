"""The one commit port: which request it takes next, and when."""

from . import fields as f
from .commit_candidate import candidate_time, commit_candidate
from .commit_event import commit_close, commit_release
from .commit_transfer import commit_fill, commit_miss, commit_prefetch
from .compiled import compiled
from .dma import engine_ready, status_time
from .elements import release_time

FILL, RELEASE, CLOSE, CANDIDATE, MISS, PREFETCH = range(6)


@compiled
def next_commit(config, reg, mem):
    """Return when the port takes its next request, as far as is known now, and note which in R_COMMIT."""
    idle = reg[f.R_IDLE]
    first = max(idle, status_time(config, reg, mem))
    reg[f.R_COMMIT] = FILL
    if first > idle:
        first = _sooner(reg, first, max(idle, release_time(reg, mem)), RELEASE)
    if first > idle and not reg[f.R_OPEN]:
        first = _sooner(reg, first, max(idle, reg[f.R_CLOSED]), CLOSE)
    if first > idle:
        first = _sooner(reg, first, max(idle, candidate_time(config, reg, mem, idle)), CANDIDATE)
    if first > idle:
        if reg[f.R_MISS_HEAD] < reg[f.R_MISS_TAIL]:
            if not reg[f.R_BLOCKED]:
                first = _sooner(reg, first, max(idle, engine_ready(config, reg, mem, f.DEMAND)), MISS)
        elif reg[f.R_QUEUE]:
            first = _sooner(reg, first, max(idle, engine_ready(config, reg, mem, f.PREFETCH)), PREFETCH)
    return first


@compiled
def _sooner(reg, first, cycle, kind):
    if cycle < first:
        reg[f.R_COMMIT] = kind
        return cycle
    return first


@compiled
def commit(config, reg, mem, store, trace, tables, cycle):
    """Take the request that `next_commit` has noted, in `cycle`."""
    kind = reg[f.R_COMMIT]
    if kind == FILL:
        commit_fill(config, reg, mem, store, cycle)
    elif kind == RELEASE:
        commit_release(config, reg, mem, store, trace, cycle)
    elif kind == CLOSE:
        commit_close(config, reg, mem, store, trace, tables, cycle)
    elif kind == CANDIDATE:
        commit_candidate(config, reg, mem, store, trace, cycle)
    elif kind == MISS:
        commit_miss(config, reg, mem, store, cycle)
    else:
        commit_prefetch(config, reg, mem, store, cycle)

"""Commits of an event: its close with all that follows from it, releases, its end with the sweep."""

from ...hw.records import AbortPolicy, Class, Expiry, GrantStatus, Kind, Sweep
from . import fields as f
from .commit_transfer import unblock
from .compiled import compiled
from .directory import find, free_slot, pin, rank_use, touch, unpin_all
from .dma import abort, beats_left, promote
from .elements import pop_release, push_grant
from .predictor import release_predictions
from .queue import pop
from .records import count, count_prefetch, end_unused, keep_record
from .stalls import post

CLOSE, CLASSIFY, EXPIRE = int(Kind.CLOSE), int(Kind.CLASSIFY), int(Kind.EXPIRE)
RELEASE, END, FREED, ABORT = int(Kind.RELEASE), int(Kind.END), int(Kind.FREE), int(Kind.ABORT)
MISS, LATE, HIT_REUSE = int(Class.MISS), int(Class.LATE), int(Class.HIT_REUSE)
HIT_ON_TARGET, HIT_LATER_USE = int(Class.HIT_ON_TARGET), int(Class.HIT_LATER_USE)
EXPIRED, PROMOTED = int(Expiry.EXPIRED), int(Expiry.PROMOTED)
SWEEP_END, SWEEP_WRONG = int(Sweep.EVENT_END), int(Sweep.WRONG)
ABORT_NEVER, ABORT_HALF = int(AbortPolicy.NEVER), int(AbortPolicy.HALF)
GRANT_HIT = int(GrantStatus.HIT)


@compiled
def commit_close(mem, log, slack, idle):
    """Close the event: classify its members, expire what was queued for it, apply the abort policy."""
    cycle = idle + 1
    layer, members = mem[f.R_EVENT_LAYER], mem[f.R_MEMBERS]
    _count_layer_skip(mem, layer)
    mem[f.R_CURRENT] += 1
    mem[f.R_LAYER] = layer
    mem[f.R_OPEN] = 1
    mem[f.R_UNRELEASED] = members
    mem[f.R_MISS_HEAD] = mem[f.R_MISS_TAIL] = 0
    mem[f.K_EVENTS] += 1
    mem[f.TARGET + mem[f.R_CURRENT] % mem[f.C_HORIZON], 0] = 0
    keep_record(mem, log, cycle + 1, CLOSE, mem[f.R_EVENT_START], layer, members, 0, 0, 0, mem[f.R_CURRENT])
    for index in range(members):
        cycle += 2
        if mem[f.C_RANKING] != f.RANK_NONE:
            rank_use(mem, layer, mem[f.MEMBER + index, 0], mem[f.MEMBER + index, 1])
        _classify(mem, log, slack, layer, mem[f.MEMBER + index, 0], cycle)
    post(mem, cycle + 1, f.CHANGE_CLASSIFIED, 0)
    cycle = _expire(mem, log, layer, cycle + 1)
    if mem[f.C_ABORT] != ABORT_NEVER:
        _apply_abort_policy(mem, log, cycle)
    mem[f.R_IDLE] = cycle + 1


@compiled
def _count_layer_skip(mem, layer):
    """Count an event whose layer does not follow the last one's, but for the first, and a sequence that starts at 0."""
    following = mem[f.R_LAYER] + 1 if mem[f.R_LAYER] + 1 < mem[f.C_LAYERS] else 0
    begins = mem[f.R_EVENT_START] and layer == 0
    mem[f.K_LAYER_SKIPS] += mem[f.R_CURRENT] >= 0 and not begins and layer != following


@compiled
def _classify(mem, log, slack, layer, expert, cycle):
    slot = find(mem, layer, expert)
    mem[f.K_DEMAND] += 1
    count(mem, f.N_DEMAND, layer)
    if slot < 0:
        keep_record(mem, log, cycle + 1, CLASSIFY, MISS, layer, expert, 0, 0, 0, 0)
        mem[f.K_MISS] += 1
        count(mem, f.N_MISS, layer)
        mem[f.MISS + mem[f.R_MISS_TAIL], 0] = expert
        mem[f.R_MISS_TAIL] += 1
        post(mem, cycle + 1, f.CHANGE_MISSES, 1)
        return
    row = f.SLOT + slot
    if mem[row, f.S_STATE] == f.FILLING:
        found = LATE
        mem[row, f.S_LATE] = 1
        mem[f.K_LATE] += 1
        count_prefetch(mem, f.N_LATE, layer, mem[row, f.S_SOURCE])
        promote(mem, slot, cycle)
    else:
        found = _count_hit(mem, slack, layer, row, cycle)
        push_grant(mem, cycle, expert, slot, GRANT_HIT)
    mem[row, f.S_UNUSED] = 0
    mem[row, f.S_RELEASED] = 0
    pin(mem, slot)
    keep_record(mem, log, cycle + 1, CLASSIFY, found, layer, expert, slot, 0, 0, 0)


@compiled
def _count_hit(mem, slack, layer, row, cycle):
    """Count a hit and return its class."""
    mem[f.K_HIT] += 1
    count(mem, f.N_HIT, layer)
    if not mem[row, f.S_UNUSED]:
        mem[f.K_HIT_REUSE] += 1
        count(mem, f.N_HIT_REUSE, layer)
        return HIT_REUSE
    source = mem[row, f.S_SOURCE]
    slack[mem[f.R_SLACKS]] = cycle + 1 - mem[row, f.S_FILLED]
    mem[f.R_SLACKS] += 1
    mem[f.K_HIT_PREFETCH] += 1
    count_prefetch(mem, f.N_HIT_PREFETCH, layer, source)
    count_prefetch(mem, f.N_TIMELY, layer, source)
    if mem[row, f.S_STAMP] == mem[f.R_CURRENT]:
        mem[f.K_ON_TARGET] += 1
        count_prefetch(mem, f.N_ON_TARGET, layer, source)
        return HIT_ON_TARGET
    mem[f.K_LATER_USE] += 1
    count_prefetch(mem, f.N_LATER_USE, layer, source)
    return HIT_LATER_USE


@compiled
def _expire(mem, log, layer, cycle):
    """Drop the queue's entries for this event and earlier ones, one a cycle; return the cycle of the abort policy."""
    while mem[f.R_QUEUE] and mem[f.QUEUE, f.Q_DEADLINE] <= mem[f.R_CURRENT]:
        deadline, named, expert = mem[f.QUEUE, f.Q_DEADLINE], mem[f.QUEUE, f.Q_LAYER], mem[f.QUEUE, f.Q_EXPERT]
        score, source = mem[f.QUEUE, f.Q_SCORE], mem[f.QUEUE, f.Q_SOURCE]
        pop(mem)
        outcome = EXPIRED
        if named == layer:
            for index in range(mem[f.R_MEMBERS]):
                if mem[f.MEMBER + index, 0] == expert:
                    outcome = PROMOTED
        keep_record(mem, log, cycle + 1, EXPIRE, outcome, named, expert, 0, score, source, deadline)
        mem[f.K_PROMOTED if outcome == PROMOTED else f.K_EXPIRED] += 1
        count_prefetch(mem, f.N_PROMOTED if outcome == PROMOTED else f.N_EXPIRED, named, source)
        cycle += 1
    return cycle + 1


@compiled
def _apply_abort_policy(mem, log, cycle):
    """Stop the prefetch that is being requested if its event came without it."""
    left = beats_left(mem, cycle)
    if left == 0 or (mem[f.C_ABORT] == ABORT_HALF and 2 * left <= mem[f.C_EXPERT_BEATS]):
        return
    slot = mem[f.ENTRY + mem[f.ENGINE + f.PREFETCH, f.E_ENTRY], f.X_SLOT]
    row = f.SLOT + slot
    if mem[row, f.S_STATE] == f.FILLING and not mem[row, f.S_PINNED] and mem[row, f.S_STAMP] <= mem[f.R_CURRENT]:
        _abort(mem, log, slot, SWEEP_WRONG, cycle)


@compiled
def _abort(mem, log, slot, reason, cycle):
    row = f.SLOT + slot
    keep_record(mem, log, cycle + 1, ABORT, reason, mem[row, f.S_LAYER], mem[row, f.S_EXPERT], slot, 0, 0, 0)
    end_unused(mem, slot, f.K_ABORTED, f.N_ABORTED)
    mem[row, f.S_STATE] = f.DRAINING
    abort(mem, slot, cycle)


@compiled
def commit_release(mem, log, step_end, idle):
    """Take a grant back; the last one ends the event."""
    cycle = idle + 1
    release = pop_release(mem, cycle)
    slot, expert = mem[release, f.L_SLOT], mem[release, f.L_EXPERT]
    keep_record(mem, log, cycle + 1, RELEASE, mem[release, f.L_STATUS], 0, expert, slot, 0, 0, 0)
    mem[f.SLOT + slot, f.S_RELEASED] = 1
    touch(mem, slot)
    unblock(mem, cycle)
    mem[f.R_UNRELEASED] -= 1
    mem[f.R_IDLE] = cycle + 1
    if mem[f.R_UNRELEASED] == 0:
        _end_event(mem, log, step_end, cycle + 1)


@compiled
def _end_event(mem, log, step_end, cycle):
    keep_record(mem, log, cycle + 1, END, 0, 0, 0, 0, 0, 0, mem[f.R_CURRENT])
    post(mem, cycle + 1, f.CHANGE_ENDED, 0)
    if mem[f.R_ENDS_STEP]:
        step_end[mem[f.R_STEP]] = cycle + 1
        mem[f.R_STEP] += 1
    mem[f.R_OPEN] = 0
    mem[f.R_CLOSED] = f.INF
    mem[f.R_END] = cycle
    unpin_all(mem)
    release_predictions(mem, mem[f.R_CURRENT], cycle)
    mem[f.R_IDLE] = cycle + 1
    if mem[f.C_EVICT_AT_END]:
        _sweep(mem, log, cycle + 1)
        mem[f.R_IDLE] = cycle + 1 + mem[f.C_ALL_SLOTS]


@compiled
def _sweep(mem, log, begin):
    """Empty the slots that are not for a coming event, one slot a cycle."""
    for slot in range(mem[f.C_SLOTS]):
        row, cycle = f.SLOT + slot, begin + slot
        state = mem[row, f.S_STATE]
        if mem[row, f.S_STAMP] > mem[f.R_CURRENT]:
            continue
        if state == f.RESIDENT:
            layer, expert = mem[row, f.S_LAYER], mem[row, f.S_EXPERT]
            keep_record(mem, log, cycle + 1, FREED, SWEEP_END, layer, expert, slot, 0, 0, 0)
            end_unused(mem, slot, f.K_USELESS, f.N_USELESS)
            free_slot(mem, slot)
            unblock(mem, cycle)
        elif state == f.FILLING:
            _abort(mem, log, slot, SWEEP_END, cycle)

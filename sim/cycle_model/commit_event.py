"""Commits of an event: its close with all that follows from it, releases, its end with the sweep."""

from ...hw.records import AbortPolicy, Class, Expiry, GrantStatus, Kind, Sweep
from . import fields as f
from .commit_transfer import unblock
from .compiled import compiled
from .directory import find, free_slot, pin, touch, unpin_all
from .dma import abort, beats_left, promote
from .elements import pop_release, push_grant
from .predictor import release_predictions
from .queue import pop
from .records import count, count_prefetch, end_unused, log
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
def commit_close(config, reg, mem, store, trace, tables, idle):
    """Close the event: classify its members, expire what was queued for it, apply the abort policy."""
    cycle = idle + 1
    event, members = reg[f.R_EVENT], reg[f.R_MEMBERS]
    layer, start = int(trace.layer[event]), int(trace.sequence_start[event])
    reg[f.R_CURRENT] += 1
    reg[f.R_LAYER] = layer
    reg[f.R_OPEN] = 1
    reg[f.R_UNRELEASED] = members
    reg[f.R_MISS_HEAD] = reg[f.R_MISS_TAIL] = 0
    reg[f.K_EVENTS] += 1
    mem[f.TARGET + reg[f.R_CURRENT] % config[f.C_HORIZON], 0] = 0
    log(config, reg, store, cycle + 1, CLOSE, start, layer, members, 0, 0, 0, reg[f.R_CURRENT])
    for index in range(members):
        cycle += 2
        _classify(config, reg, mem, store, layer, tables.member[index], cycle)
    post(reg, mem, cycle + 1, f.CHANGE_CLASSIFYING, 0)
    cycle = _expire(config, reg, mem, store, tables, layer, cycle + 1)
    if config[f.C_ABORT] != ABORT_NEVER:
        _apply_abort_policy(config, reg, mem, store, cycle)
    reg[f.R_IDLE] = cycle + 1


@compiled
def _classify(config, reg, mem, store, layer, expert, cycle):
    slot = find(config, mem, layer, expert)
    reg[f.K_DEMAND] += 1
    count(mem, f.N_DEMAND, layer)
    if slot < 0:
        log(config, reg, store, cycle + 1, CLASSIFY, MISS, layer, expert, 0, 0, 0, 0)
        reg[f.K_MISS] += 1
        count(mem, f.N_MISS, layer)
        mem[f.MISS + reg[f.R_MISS_TAIL], 0] = expert
        reg[f.R_MISS_TAIL] += 1
        post(reg, mem, cycle + 1, f.CHANGE_MISSES, 1)
        return
    row = f.SLOT + slot
    if mem[row, f.S_STATE] == f.FILLING:
        found = LATE
        mem[row, f.S_LATE] = 1
        reg[f.K_LATE] += 1
        count_prefetch(mem, f.N_LATE, layer, mem[row, f.S_SOURCE])
        promote(config, reg, mem, slot, cycle)
    else:
        found = _count_hit(reg, mem, store, layer, row, cycle)
        push_grant(reg, mem, cycle, expert, slot, GRANT_HIT)
    mem[row, f.S_UNUSED] = 0
    mem[row, f.S_RELEASED] = 0
    pin(reg, mem, slot)
    log(config, reg, store, cycle + 1, CLASSIFY, found, layer, expert, slot, 0, 0, 0)


@compiled
def _count_hit(reg, mem, store, layer, row, cycle):
    """Count a hit and return its class."""
    reg[f.K_HIT] += 1
    count(mem, f.N_HIT, layer)
    if not mem[row, f.S_UNUSED]:
        reg[f.K_HIT_REUSE] += 1
        count(mem, f.N_HIT_REUSE, layer)
        return HIT_REUSE
    source = mem[row, f.S_SOURCE]
    store.slack[reg[f.R_SLACKS]] = cycle + 1 - mem[row, f.S_FILLED]
    reg[f.R_SLACKS] += 1
    reg[f.K_HIT_PREFETCH] += 1
    count_prefetch(mem, f.N_HIT_PREFETCH, layer, source)
    count_prefetch(mem, f.N_TIMELY, layer, source)
    if mem[row, f.S_STAMP] == reg[f.R_CURRENT]:
        reg[f.K_ON_TARGET] += 1
        count_prefetch(mem, f.N_ON_TARGET, layer, source)
        return HIT_ON_TARGET
    reg[f.K_LATER_USE] += 1
    count_prefetch(mem, f.N_LATER_USE, layer, source)
    return HIT_LATER_USE


@compiled
def _expire(config, reg, mem, store, tables, layer, cycle):
    """Drop the queue's entries for this event and earlier ones, one a cycle; return the cycle of the abort policy."""
    while reg[f.R_QUEUE] and mem[f.QUEUE, f.Q_DEADLINE] <= reg[f.R_CURRENT]:
        deadline, named, expert = mem[f.QUEUE, f.Q_DEADLINE], mem[f.QUEUE, f.Q_LAYER], mem[f.QUEUE, f.Q_EXPERT]
        score, source = mem[f.QUEUE, f.Q_SCORE], mem[f.QUEUE, f.Q_SOURCE]
        pop(reg, mem)
        outcome = EXPIRED
        if named == layer:
            for index in range(reg[f.R_MEMBERS]):
                if tables.member[index] == expert:
                    outcome = PROMOTED
        log(config, reg, store, cycle + 1, EXPIRE, outcome, named, expert, 0, score, source, deadline)
        reg[f.K_PROMOTED if outcome == PROMOTED else f.K_EXPIRED] += 1
        count_prefetch(mem, f.N_PROMOTED if outcome == PROMOTED else f.N_EXPIRED, named, source)
        cycle += 1
    return cycle + 1


@compiled
def _apply_abort_policy(config, reg, mem, store, cycle):
    """Stop the prefetch that is being requested if its event came without it."""
    left = beats_left(config, reg, mem, cycle)
    if left == 0 or (config[f.C_ABORT] == ABORT_HALF and 2 * left <= config[f.C_EXPERT_BEATS]):
        return
    slot = mem[f.ENTRY + mem[f.ENGINE + f.PREFETCH, f.E_ENTRY], f.X_SLOT]
    row = f.SLOT + slot
    if mem[row, f.S_STATE] == f.FILLING and not mem[row, f.S_PINNED] and mem[row, f.S_STAMP] <= reg[f.R_CURRENT]:
        _abort(config, reg, mem, store, slot, SWEEP_WRONG, cycle)


@compiled
def _abort(config, reg, mem, store, slot, reason, cycle):
    row = f.SLOT + slot
    log(config, reg, store, cycle + 1, ABORT, reason, mem[row, f.S_LAYER], mem[row, f.S_EXPERT], slot, 0, 0, 0)
    end_unused(reg, mem, slot, f.K_ABORTED, f.N_ABORTED)
    mem[row, f.S_STATE] = f.DRAINING
    abort(config, reg, mem, slot, cycle)


@compiled
def commit_release(config, reg, mem, store, trace, idle):
    """Take a grant back; the last one ends the event."""
    cycle = idle + 1
    release = pop_release(reg, mem, cycle)
    slot, expert = mem[release, f.L_SLOT], mem[release, f.L_EXPERT]
    log(config, reg, store, cycle + 1, RELEASE, mem[release, f.L_STATUS], 0, expert, slot, 0, 0, 0)
    mem[f.SLOT + slot, f.S_RELEASED] = 1
    touch(reg, mem, slot)
    unblock(reg, mem, cycle)
    reg[f.R_UNRELEASED] -= 1
    reg[f.R_IDLE] = cycle + 1
    if reg[f.R_UNRELEASED] == 0:
        _end_event(config, reg, mem, store, trace, cycle + 1)


@compiled
def _end_event(config, reg, mem, store, trace, cycle):
    log(config, reg, store, cycle + 1, END, 0, 0, 0, 0, 0, 0, reg[f.R_CURRENT])
    post(reg, mem, cycle + 1, f.CHANGE_OPEN, 0)
    following = reg[f.R_EVENT] + 1
    if following == config[f.C_EVENTS] or trace.step_first[following]:
        store.step_end[reg[f.R_STEP]] = cycle + 1
        reg[f.R_STEP] += 1
    reg[f.R_OPEN] = 0
    reg[f.R_CLOSED] = f.INF
    reg[f.R_END] = cycle
    unpin_all(reg, mem)
    release_predictions(config, reg, mem, reg[f.R_CURRENT], cycle)
    reg[f.R_IDLE] = cycle + 1
    if config[f.C_EVICT_AT_END]:
        _sweep(config, reg, mem, store, cycle + 1)
        reg[f.R_IDLE] = cycle + 1 + config[f.C_ALL_SLOTS]


@compiled
def _sweep(config, reg, mem, store, begin):
    """Empty the slots that are not for a coming event, one slot a cycle."""
    for slot in range(config[f.C_SLOTS]):
        row, cycle = f.SLOT + slot, begin + slot
        state = mem[row, f.S_STATE]
        if mem[row, f.S_STAMP] > reg[f.R_CURRENT]:
            continue
        if state == f.RESIDENT:
            log(
                config,
                reg,
                store,
                cycle + 1,
                FREED,
                SWEEP_END,
                mem[row, f.S_LAYER],
                mem[row, f.S_EXPERT],
                slot,
                0,
                0,
                0,
            )
            end_unused(reg, mem, slot, f.K_USELESS, f.N_USELESS)
            free_slot(reg, mem, slot)
            unblock(reg, mem, cycle)
        elif state == f.FILLING:
            _abort(config, reg, mem, store, slot, SWEEP_END, cycle)

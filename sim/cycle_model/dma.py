"""The DMA controller: transfers, what the commit port orders about them, and their statuses."""

from . import fields as f
from .compiled import compiled, inlined
from .link import service_before
from .plan import STATUS, cut_plan, extend_plan
from .stalls import post
from .trains import ended_before, taken_before

LOAD = 2
"""Cycles from a descriptor to its first burst being cut."""
ABORTED = 1
"""Cycles from an abort to the entry being complete, if nothing of it is under way."""


@compiled
def engine_ready(mem, engine):
    """Return the first cycle in which a class can take a descriptor; INF if that is not known yet."""
    if mem[f.R_TRANSFERS] + (2 if engine == f.PREFETCH else 1) > mem[f.C_ENTRIES]:
        return f.INF
    return mem[f.ENGINE + engine, f.E_READY]


@compiled
def _free_entry(mem, engine):
    """Return the entry that a class gets: the lowest for demand, the highest for prefetch."""
    step = 1 if engine == f.DEMAND else -1
    entry = 0 if engine == f.DEMAND else mem[f.C_ENTRIES] - 1
    while mem[f.ENTRY + entry, f.X_VALID]:
        entry += step
    return entry


@compiled
def load(mem, engine, slot, cycle):
    """Hand a descriptor over in `cycle`."""
    other = f.ENGINE + 1 - engine
    busy = mem[other, f.E_ACTIVE] or mem[other, f.E_READY] > cycle + 1
    if engine == f.DEMAND and busy and not mem[f.ENTRY + mem[other, f.E_ENTRY], f.X_DEMANDED]:
        cut_plan(mem, cycle + 1)
    number = _free_entry(mem, engine)
    entry, state = f.ENTRY + number, f.ENGINE + engine
    mem[entry, f.X_VALID] = 1
    mem[f.R_TRANSFERS] += 1
    mem[entry, f.X_SLOT] = slot
    mem[entry, f.X_DEMANDED] = engine == f.DEMAND
    mem[entry, f.X_ABORTED] = 0
    mem[entry, f.X_COMPLETE] = f.INF
    mem[f.SLOT + slot, f.S_ENTRY] = number
    mem[state, f.E_ENTRY] = number
    mem[state, f.E_POSITION] = 0
    mem[state, f.E_TOTAL] = mem[f.C_EXPERT_BEATS]
    mem[state, f.E_VALID] = cycle + LOAD
    mem[state, f.E_ACTIVE] = 1
    mem[state, f.E_READY] = f.INF
    mem[state, f.E_BANK] = slot % mem[f.C_BANKS]
    mem[state, f.E_LAST] = 0
    if engine == f.DEMAND:
        post(mem, cycle + 1, f.CHANGE_DEMAND_BUSY, 1)
    extend_plan(mem)


@compiled
def _requests(mem, engine, number, cycle):
    """Return whether an engine still holds beats of a transfer in `cycle`."""
    state = f.ENGINE + engine
    return mem[state, f.E_ENTRY] == number and (mem[state, f.E_ACTIVE] or mem[state, f.E_READY] > cycle)


@compiled
def promote(mem, slot, cycle):
    """Make the prefetch that fills `slot` a demand, for bursts requested after `cycle`."""
    number = mem[f.SLOT + slot, f.S_ENTRY]
    entry = f.ENTRY + number
    if mem[entry, f.X_DEMANDED]:
        return
    post(mem, cycle + 1, f.CHANGE_DEMAND_BUSY, 1)
    if _requests(mem, f.PREFETCH, number, cycle):
        cut_plan(mem, cycle + 1)
        mem[entry, f.X_DEMANDED] = 1
        extend_plan(mem)
    mem[entry, f.X_DEMANDED] = 1


@compiled
def abort(mem, slot, cycle):
    """Stop the transfer that fills `slot`: nothing more is requested after `cycle`, later beats are discarded."""
    number = mem[f.SLOT + slot, f.S_ENTRY]
    entry, state = f.ENTRY + number, f.ENGINE + f.PREFETCH
    mem[entry, f.X_ABORTED] = 1
    mem[f.R_FIRST_COMPLETE] = -1
    requests = _requests(mem, f.PREFETCH, number, cycle)
    if requests:
        cut_plan(mem, cycle + 1)
        mem[state, f.E_ACTIVE] = 0
        mem[state, f.E_READY] = cycle + 1
        mem[entry, f.X_COMPLETE] = max(cycle + ABORTED, mem[state, f.E_LAST] + STATUS)
    limit = service_before(mem, cycle + 1)
    for row in range(f.TRAIN + mem[f.R_TRAIN_FIRST], f.TRAIN + mem[f.R_TRAINS]):
        if mem[row, f.T_ENTRY] == number:
            mem[row, f.T_LIMIT] = min(mem[row, f.T_LIMIT], limit)
    mem[f.R_PLANNED] = 1
    if requests:
        extend_plan(mem)


@compiled
def beats_left(mem, cycle):
    """Return how many beats the prefetch engine has not requested before `cycle`; 0 if it holds none."""
    state = f.ENGINE + f.PREFETCH
    while mem[f.R_PLAN_OPEN] and mem[f.R_LAST_TAKE] < cycle:
        extend_plan(mem)
    if not (mem[state, f.E_ACTIVE] or mem[state, f.E_READY] > cycle):
        return 0
    left = mem[state, f.E_TOTAL] - mem[state, f.E_POSITION]
    ended = ended_before(mem, cycle - 1)
    for row in range(f.TRAIN + mem[f.R_TRAIN_FIXED], f.TRAIN + mem[f.R_TRAINS]):
        if mem[row, f.T_ENGINE] == f.PREFETCH and mem[row, f.T_ENTRY] == mem[state, f.E_ENTRY]:
            taken = taken_before(mem, row, cycle, ended) * mem[row, f.T_UNIT]
            left += mem[row, f.T_BEATS] - min(mem[row, f.T_BEATS], taken)
    return left


@inlined
def status_time(mem):
    """Return the first cycle in which a transfer's status is on offer."""
    if mem[f.R_BATCH_LEFT]:
        return mem[f.R_BATCH_VALID]
    if mem[f.R_TRANSFERS] == 0:
        return f.INF
    if mem[f.R_FIRST_COMPLETE] < 0:
        mem[f.R_FIRST_COMPLETE] = _first_complete(mem)
    first = mem[f.R_FIRST_COMPLETE]
    return f.INF if first == f.INF else max(first, mem[f.R_BATCH_TAKEN]) + 1


@compiled
def _first_complete(mem):
    first = f.INF
    for entry in range(f.ENTRY, f.ENTRY + mem[f.C_ENTRIES]):
        first = min(first, mem[entry, f.X_COMPLETE])
    return first


@inlined
def take_status(mem, cycle):
    """Take the status on offer in `cycle`, and return its entry: the lowest of the batch."""
    if mem[f.R_BATCH_LEFT] == 0:
        _form_batch(mem)
    entry = f.ENTRY + mem[f.R_BATCH_NEXT]
    while not mem[entry, f.X_BATCH]:
        entry += 1
    mem[f.R_BATCH_NEXT] = entry + 1 - f.ENTRY
    mem[f.R_BATCH_LEFT] -= 1
    mem[f.R_BATCH_TAKEN] = cycle
    mem[entry, f.X_BATCH] = 0
    mem[entry, f.X_VALID] = 0
    mem[entry, f.X_COMPLETE] = f.INF
    mem[f.R_TRANSFERS] -= 1
    if mem[entry, f.X_DEMANDED]:
        post(mem, cycle + 1, f.CHANGE_DEMAND_BUSY, -1)
    return entry


@inlined
def _form_batch(mem):
    """Gather the transfers that are complete by now; `status_time` has found the first one."""
    formed, first = max(mem[f.R_FIRST_COMPLETE], mem[f.R_BATCH_TAKEN]), f.INF
    for entry in range(f.ENTRY, f.ENTRY + mem[f.C_ENTRIES]):
        complete = mem[entry, f.X_COMPLETE]
        if complete <= formed:
            mem[entry, f.X_BATCH] = 1
            mem[f.R_BATCH_LEFT] += 1
        else:
            first = min(first, complete)
    mem[f.R_FIRST_COMPLETE] = first
    mem[f.R_BATCH_NEXT] = 0
    mem[f.R_BATCH_VALID] = formed + 1

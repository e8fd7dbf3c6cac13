"""The model's main loop: from one action to the next, whatever the cycles between them."""

from . import fields as f
from .agent import FIRST_HEADER, begin_event, try_next_event
from .banks import advance, follow_plan, settle
from .commit_port import commit, moves_transfers, next_commit
from .compiled import compiled
from .elements import grant_time, push_release, push_time, take_grant
from .plan import extend_plan
from .records import log_grant
from .state import state_of
from .tables import Store
from .trains import retire_trains


@compiled
def simulate(mem, store, trace, tables, until):
    """Run until `until` events have ended, or, at the last one, until the unit is idle; return whether it goes on."""
    return _simulate(state_of(mem), Store(store.slack, store.step_end, state_of(store.log)), trace, tables, until)


@compiled
def _simulate(mem, store, trace, tables, until):
    if mem[f.R_EVENT] < 0:
        mem[f.R_EVENT] = 0
        begin_event(mem, trace, tables, FIRST_HEADER)
    stale, committed, cycle = True, f.INF, mem[f.R_ACCOUNTED]
    while mem[f.R_EVENT] < until or until == mem[f.C_EVENTS]:
        if mem[f.R_PLANNED]:
            follow_plan(mem)
        if stale:
            committed = next_commit(mem)
            stale = False
        granted = grant_time(mem)
        pushed = push_time(mem)
        cycle = min(committed, granted, pushed)
        if mem[f.R_PLAN_OPEN] and mem[f.R_LAST_TAKE] <= cycle:
            extend_plan(mem)
            stale = True
            continue
        if cycle == f.INF:
            settle(mem, max(mem[f.R_ACCOUNTED], mem[f.R_TOTAL]))
            retire_trains(mem, f.INF)
            return False
        if granted == cycle or pushed == cycle or moves_transfers(mem):
            advance(mem, cycle)
        if granted == cycle:
            _take_grant(mem, store.log, cycle)
        if committed == cycle:
            commit(mem, store, cycle)
            if mem[f.R_END] != f.INF:
                try_next_event(mem, trace, tables)
            stale = True
        if pushed == cycle and push_time(mem) == cycle:
            push_release(mem, cycle)
            stale = True
    settle(mem, cycle)
    return True


@compiled
def _take_grant(mem, log, cycle):
    element = take_grant(mem, cycle)
    expert, slot, status = mem[element, f.P_EXPERT], mem[element, f.P_SLOT], mem[element, f.P_STATUS]
    if mem[f.C_LOGGING]:
        log_grant(mem, log, cycle, mem[f.R_LAYER], expert, slot, status)

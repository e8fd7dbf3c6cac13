"""The model's main loop: from one action to the next, whatever the cycles between them."""

from . import fields as f
from .agent import FIRST_HEADER, begin_event, try_next_event
from .banks import advance, follow_plan
from .commit_port import commit, next_commit
from .compiled import compiled
from .elements import grant_time, push_release, push_time, take_grant
from .plan import extend_plan


@compiled
def simulate(config, reg, mem, store, trace, tables, until):
    """Run until `until` events have ended, or, at the last one, until the unit is idle; return whether it goes on."""
    if reg[f.R_EVENT] < 0:
        reg[f.R_EVENT] = 0
        begin_event(config, reg, mem, trace, tables, FIRST_HEADER)
    stale, committed = True, f.INF
    while reg[f.R_EVENT] < until or until == config[f.C_EVENTS]:
        if reg[f.R_PLANNED]:
            follow_plan(config, reg, mem)
        if stale:
            committed = next_commit(config, reg, mem)
            stale = False
        granted = grant_time(config, reg, mem)
        pushed = push_time(config, reg, mem)
        cycle = min(committed, granted, pushed)
        if reg[f.R_PLAN_OPEN] and reg[f.R_LAST_TAKE] <= cycle:
            extend_plan(config, reg, mem)
            stale = True
            continue
        if cycle == f.INF:
            advance(config, reg, mem, max(reg[f.R_ACCOUNTED], reg[f.R_TOTAL]))
            return False
        advance(config, reg, mem, cycle)
        if granted == cycle:
            _take_grant(config, reg, mem, store, cycle)
        if committed == cycle:
            commit(config, reg, mem, store, trace, tables, cycle)
            if reg[f.R_END] != f.INF:
                try_next_event(config, reg, mem, trace, tables)
            stale = True
        if pushed == cycle and push_time(config, reg, mem) == cycle:
            push_release(config, reg, mem, cycle)
            stale = True
    return True


@compiled
def _take_grant(config, reg, mem, store, cycle):
    element = take_grant(config, reg, mem, cycle)
    if config[f.C_LOGGING]:
        row = store.grant_log[reg[f.R_GRANTS_LOGGED]]
        row[0] = cycle
        row[1] = reg[f.R_LAYER]
        row[2] = mem[element, f.P_EXPERT]
        row[3] = mem[element, f.P_SLOT]
        row[4] = mem[element, f.P_STATUS]
        reg[f.R_GRANTS_LOGGED] += 1

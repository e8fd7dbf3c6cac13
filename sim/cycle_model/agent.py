"""The replay's agent and the event intake: when an event's beats arrive, and what they add up to."""

from . import fields as f
from .compiled import compiled
from .predictor import take_event
from .stalls import post

FIRST_HEADER = 1
"""Cycle in which the first event's header is read."""
ATTENTION = 1
"""Cycles from a header to its attention."""
MEMBER = 2
"""Cycles from a beat to the predictors."""
ROW_SCAN = 1
"""Cycles from a member's beat at the predictors to its row being asked for."""


@compiled
def begin_event(mem, trace, tables, header):
    """Let the next event begin with its header in cycle `header`: attention, beats, close, prediction."""
    event = mem[f.R_EVENT]
    attention = mem[f.C_ATTENTION] + (mem[f.C_STEP] if trace.step_first[event] else 0)
    cycle = header + ATTENTION + max(1, attention)
    layer = int(trace.layer[event])
    if layer == 0:
        cycle += 1  # the unit takes its settings over
    mem[f.R_EVENT_LAYER] = layer
    mem[f.R_EVENT_START] = trace.sequence_start[event]
    mem[f.R_ENDS_STEP] = event + 1 == mem[f.C_EVENTS] or trace.step_first[event + 1] != 0
    _take_beats(mem, trace, tables, event, layer, cycle)
    post(mem, mem[f.R_CLOSED], f.CHANGE_CLOSED, mem[f.R_MEMBERS])
    hints = trace.first_hint[event + 1] - trace.first_hint[event]
    if mem[f.C_HINTS] and hints:
        _take_hints(mem, trace, trace.first_hint[event], hints)
        mem[f.R_HINT_FROM] = mem[f.R_CLOSED]
        mem[f.R_AGENT_DONE] = f.INF
    else:
        mem[f.R_AGENT_DONE] = mem[f.R_CLOSED] + hints


@compiled
def _take_hints(mem, trace, first, count):
    """Hold an event's hints ready for the hint port."""
    for index in range(count):
        mem[f.HINT + index, f.Y_LAYER] = trace.hint_layer[first + index]
        mem[f.HINT + index, f.Y_EXPERT] = trace.hint_expert[first + index]
        mem[f.HINT + index, f.Y_SCORE] = trace.hint_score[first + index]
    mem[f.R_HINT_NEXT] = f.HINT
    mem[f.R_HINT_END] = f.HINT + count


@compiled
def room_from(mem):
    """Return the first cycle in which the predictors' queue has room for another beat."""
    before = mem[f.R_PUSHED] - mem[f.C_MAX_EXPERTS]
    return mem[f.POP + before % f.POPS, 0] if before >= 0 else 0


@compiled
def _take_beats(mem, trace, tables, event, layer, cycle):
    """Take the event's beats, one a cycle from `cycle` on unless the predictors' queue is full."""
    steps = mem[f.C_TABLE_ENTRIES] // mem[f.C_LANES]
    count = contributed = 0
    first = last = -1
    scanned = 0
    final = trace.first_beat[event + 1] - 1
    for beat in range(trace.first_beat[event], final + 1):
        taken = max(cycle, room_from(mem))
        mem[f.K_ROUTE_WAIT] += taken - cycle
        cycle = taken + 1
        expert = int(trace.expert[beat])
        new = contributed < trace.top_k[layer] and not tables.in_event[expert]
        contributed += contributed < trace.top_k[layer]
        if new:
            tables.in_event[expert] = 1
            mem[f.MEMBER + count, 0] = expert
            if mem[f.C_RANKING] == f.RANK_NEXT_USE:
                mem[f.MEMBER + count, 1] = trace.next_use[beat]
            count += 1
        if trace.token_last[beat]:
            contributed = 0
        if new or beat == final:
            last = _pop_time(mem, taken, first < 0)
            first = last if first < 0 else first
            if new:
                scanned = max(last + ROW_SCAN, scanned + 1 if count > 1 else 0) + steps - 1
    mem[f.R_CLOSED] = cycle
    mem[f.R_MEMBERS] = count
    if mem[f.C_PREDICTORS]:
        start = trace.sequence_start[event]
        take_event(mem, tables, event, layer, start, first, last, scanned, count)
    for index in range(count):
        tables.in_event[mem[f.MEMBER + index, 0]] = 0


@compiled
def _pop_time(mem, pushed, is_first):
    """Return when the predictors take the beat that enters their queue in cycle `pushed`."""
    offered = max(pushed + MEMBER, mem[f.R_LAST_MEMBER_POP] + 1)
    mem[f.POP + mem[f.R_PUSHED] % f.POPS, 0] = offered
    mem[f.R_PUSHED] += 1
    popped = max(offered, mem[f.R_TABLES_FREE]) if is_first else offered
    mem[f.K_PREDICTOR_WAIT] += popped - offered
    mem[f.R_LAST_MEMBER_POP] = popped
    return popped


@compiled
def try_next_event(mem, trace, tables):
    """Begin the next event, or end the replay, if the last event has ended and its hints are out."""
    if mem[f.R_END] == f.INF or mem[f.R_AGENT_DONE] == f.INF:
        return
    ready = max(mem[f.R_AGENT_DONE], mem[f.R_END] + 1, room_from(mem))
    mem[f.R_END] = f.INF
    mem[f.R_EVENT] += 1
    if mem[f.R_EVENT] == mem[f.C_EVENTS]:
        mem[f.R_TOTAL] = ready + 1
    else:
        begin_event(mem, trace, tables, ready + 1)

"""The order and time of bursts: what the DMA's engines will request if no further order reaches them.

A request needs room, at most N bursts being under way, its engine's next burst cut (two cycles after the last), and a
cycle of its own; the memory serves in order. Hence, for burst i of C service cycles and latency L,

    take[i] = max(take[i-1] + 2, end[i-N] + 1)        end[i] = max(take[i] + 1 + L, end[i-1] + 1) + C - 1

Three of its stretches have a closed form, and are planned at once: while fewer than N bursts are under way requests
come every second cycle; on a link that N bursts keep busy each follows the end of the one N before it, without a
gap; on a link that they do not keep busy the same holds in rounds of N, each L + C + 1 cycles after the one before.
"""

from . import fields as f
from .compiled import compiled
from .link import service_before
from .trains import CUT, append_train, end_of_burst, ended_before, mark_done, service_end, take_of, taken_before

AT_ONCE = 64
"""Trains that are planned before something else may happen."""
STATUS = 2
"""Cycles from a transfer's last beat to its entry being complete."""


@compiled
def extend_plan(mem):
    """Plan what the engines hold; R_PLAN_OPEN stays 1 if that is more than AT_ONCE trains."""
    mem[f.R_PLANNED] = 1
    for _ in range(AT_ONCE):
        engine = _preferred(mem)
        if engine < 0:
            mem[f.R_PLAN_OPEN] = 0
            return
        _plan_train(mem, engine)
    mem[f.R_PLAN_OPEN] = _preferred(mem) >= 0


@compiled
def _preferred(mem):
    """Return the engine whose burst goes next, -1 for none."""
    demand, prefetch = f.ENGINE + f.DEMAND, f.ENGINE + f.PREFETCH
    promoted = mem[prefetch, f.E_ACTIVE] and mem[f.ENTRY + mem[prefetch, f.E_ENTRY], f.X_DEMANDED]
    if mem[demand, f.E_ACTIVE] and not promoted:
        return f.DEMAND
    return f.PREFETCH if mem[prefetch, f.E_ACTIVE] else -1


@compiled
def _plan_train(mem, engine):
    """Plan the engine's next bursts: as many as the recurrence has a closed form for, one at least."""
    state, most = f.ENGINE + engine, mem[f.C_OUTSTANDING]
    line, left = mem[f.C_LINE_BEATS], mem[state, f.E_TOTAL] - mem[state, f.E_POSITION]
    unit = min(mem[f.C_BURST_BEATS], line)
    offered = max(mem[state, f.E_VALID], mem[f.R_LAST_TAKE] + 1)
    ended = end_of_burst(mem, mem[f.R_BURSTS] - most) if mem[f.R_BURSTS] >= most else -1
    take = max(offered, ended + 1)
    count, rounds = 1, 1
    follows = take > offered
    if line % unit:
        unit = min(left, unit, line - mem[state, f.E_POSITION] % line)
        follows = False
    elif unit * mem[f.C_CYCLES_PER_BEAT] >= CUT:
        if follows:
            count, rounds = _count_following(mem, unit, left, mem[state, f.E_TOTAL])
            follows = count > 1
        else:
            under_way = mem[f.R_BURSTS] - ended_before(mem, take)
            count = max(1, min(most - under_way, (left + unit - 1) // unit))
    row = append_train(mem, engine, unit, count, min(left, count * unit))
    mem[row, f.T_FOLLOWS] = follows
    mem[row, f.T_TAKE] = take
    start = max(service_before(mem, take + 1 + mem[f.C_LATENCY]), mem[f.R_LINK_FREE])
    mem[row, f.T_START] = start
    if rounds > 1:
        mem[row, f.T_ROUND] = most
        mem[row, f.T_STRIDE] = mem[f.C_LATENCY] + unit * mem[f.C_CYCLES_PER_BEAT] + 1
    _follow_chain(mem, row, rounds)
    mem[f.R_BURSTS] += count
    _move_engine(mem, engine, row)


@compiled
def _count_following(mem, unit, left, total):
    """Return how many bursts, each requested at the end of the one N before it, have a closed form; in how many rounds.

    There is one where N - 1 bursts always outlast the latency, even if some of them are the short last ones of their
    transfers, or where the last N bursts have left no gap between them.
    """
    most, per_beat = mem[f.C_OUTSTANDING], mem[f.C_CYCLES_PER_BEAT]
    span, latency = unit * per_beat, mem[f.C_LATENCY]
    tail = total % unit
    if tail and tail * per_beat < CUT:
        return 1, 1
    bursts = (left + unit - 1) // unit
    shorts = 2 * ((most - 1) // ((total + unit - 1) // unit) + 1) if tail else 0
    if (most - 1 - shorts) * span >= latency + 1:
        return bursts, 1
    if mem[f.C_BACKGROUND_LENGTH] or mem[f.R_CONTIGUOUS] < most:
        return 1, 1
    if (most - 1) * span >= latency + 1:
        return bursts, 1
    rounds = left // unit // most
    if rounds > 1:
        return rounds * most, rounds
    return min(bursts, most), 1


@compiled
def _follow_chain(mem, row, rounds):
    """Keep count of the whole bursts at the plan's end that follow each other on the link without a gap."""
    count, unit = mem[row, f.T_COUNT], mem[row, f.T_UNIT]
    whole = unit == min(mem[f.C_BURST_BEATS], mem[f.C_LINE_BEATS])
    if not whole or mem[row, f.T_BEATS] != count * unit:
        mem[f.R_CONTIGUOUS] = 0
    elif rounds > 1:
        mem[f.R_CONTIGUOUS] = mem[f.C_OUTSTANDING]
    elif mem[row, f.T_START] == mem[f.R_LINK_FREE]:
        mem[f.R_CONTIGUOUS] += count
    else:
        mem[f.R_CONTIGUOUS] = count


@compiled
def _move_engine(mem, engine, row):
    """Account for a train that has been planned."""
    state, last = f.ENGINE + engine, mem[row, f.T_COUNT] - 1
    end, take = mark_done(mem, row), take_of(mem, row, last)
    mem[f.R_LINK_FREE] = service_end(mem, row, last)
    mem[f.R_LAST_TAKE] = take
    mem[state, f.E_POSITION] += mem[row, f.T_BEATS]
    mem[state, f.E_VALID] = take + CUT
    mem[state, f.E_LAST] = end
    if mem[state, f.E_POSITION] == mem[state, f.E_TOTAL]:
        mem[state, f.E_ACTIVE] = 0
        mem[state, f.E_READY] = take + 1
        mem[f.ENTRY + mem[state, f.E_ENTRY], f.X_COMPLETE] = end + STATUS
        mem[f.R_FIRST_COMPLETE] = min(mem[f.R_FIRST_COMPLETE], end + STATUS)


@compiled
def cut_plan(mem, cycle):
    """Take back all requests from `cycle` on: what orders them has changed."""
    mem[f.R_FIRST_COMPLETE] = -1
    while mem[f.R_PLAN_OPEN] and mem[f.R_LAST_TAKE] < cycle:
        extend_plan(mem)
    ended = ended_before(mem, cycle - 1)
    kept = first = f.TRAIN + mem[f.R_TRAIN_FIXED]
    cut = False
    for row in range(first, f.TRAIN + mem[f.R_TRAINS]):
        stays = taken_before(mem, row, cycle, ended)
        if stays < mem[row, f.T_COUNT]:
            _give_back(mem, row, stays)
            cut = True
        kept += stays > 0
    mem[f.R_TRAINS] = kept - f.TRAIN
    mem[f.R_TRAIN_FIXED] = mem[f.R_TRAINS]
    mem[f.R_LAST_TAKE] = cycle - 1
    if cut:
        _find_ends(mem)
        mem[f.R_CONTIGUOUS] = 0


@compiled
def _give_back(mem, row, stays):
    """Return all but the first `stays` bursts of a train to its engine."""
    state = f.ENGINE + mem[row, f.T_ENGINE]
    if not mem[state, f.E_CUT]:
        mem[state, f.E_VALID] = take_of(mem, row, stays - 1) + CUT if stays else mem[row, f.T_BEFORE]
        mem[state, f.E_CUT] = 1
    beats = min(mem[row, f.T_BEATS], stays * mem[row, f.T_UNIT])
    mem[state, f.E_POSITION] -= mem[row, f.T_BEATS] - beats
    mem[state, f.E_ACTIVE] = 1
    mem[state, f.E_READY] = f.INF
    mem[f.ENTRY + mem[state, f.E_ENTRY], f.X_COMPLETE] = f.INF
    mem[f.R_BURSTS] -= mem[row, f.T_COUNT] - stays
    mem[row, f.T_COUNT] = stays
    mem[row, f.T_BEATS] = beats
    if stays:
        mark_done(mem, row)


@compiled
def _find_ends(mem):
    """Find the link's next free service cycle, and each engine's last beat, after a cut."""
    mem[f.R_LINK_FREE] = 0
    for engine in range(2):
        mem[f.ENGINE + engine, f.E_LAST] = 0
        mem[f.ENGINE + engine, f.E_CUT] = 0
    for row in range(f.TRAIN + mem[f.R_TRAIN_FIRST], f.TRAIN + mem[f.R_TRAINS]):
        last = mem[row, f.T_COUNT] - 1
        mem[f.R_LINK_FREE] = service_end(mem, row, last)
        state = f.ENGINE + mem[row, f.T_ENGINE]
        if mem[state, f.E_ENTRY] == mem[row, f.T_ENTRY]:
            mem[state, f.E_LAST] = mark_done(mem, row)

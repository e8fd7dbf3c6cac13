"""The order and time of bursts: what the DMA's engines will request if no further order reaches them.

A request needs room, at most N bursts being under way, its engine's next burst cut (two cycles after the last), and a
cycle of its own; the memory serves in order. Hence, for burst i of C service cycles and latency L,

    take[i] = max(take[i-1] + 2, end[i-N] + 1)        end[i] = max(take[i] + 1 + L, end[i-1] + 1) + C - 1

which is followed burst by burst until it repeats itself; then all equal bursts left are planned at once.
"""

from . import fields as f
from .compiled import compiled
from .link import cycle_of, service_before
from .trains import append_train, end_of, mark_done, take_of, taken_before

AT_ONCE = 64
"""Bursts that are planned one by one before something else may happen."""
STATUS = 2
"""Cycles from a transfer's last beat to its entry being complete."""


@compiled
def extend_plan(config, reg, mem):
    """Plan what the engines hold; R_PLAN_OPEN stays 1 if that is more than AT_ONCE single bursts."""
    reg[f.R_PLAN_OPEN] = 1
    reg[f.R_PLANNED] = 1
    for _ in range(AT_ONCE):
        engine = _preferred(mem)
        if engine < 0:
            reg[f.R_PLAN_OPEN] = 0
            return
        if not _plan_pattern(config, reg, mem, engine):
            _plan_burst(config, reg, mem, engine)
    if _preferred(mem) < 0:
        reg[f.R_PLAN_OPEN] = 0


@compiled
def _preferred(mem):
    """Return the engine whose burst goes next, -1 for none."""
    demand, prefetch = f.ENGINE + f.DEMAND, f.ENGINE + f.PREFETCH
    promoted = mem[prefetch, f.E_ACTIVE] and mem[f.ENTRY + mem[prefetch, f.E_ENTRY], f.X_DEMANDED]
    if mem[demand, f.E_ACTIVE] and not promoted:
        return f.DEMAND
    return f.PREFETCH if mem[prefetch, f.E_ACTIVE] else -1


@compiled
def _past(reg, mem, ago, column):
    """Return an attribute of the burst `ago` bursts back, 1 being the last."""
    return mem[f.HISTORY + (reg[f.R_BURSTS] - ago) % f.RING, column]


@compiled
def _plan_burst(config, reg, mem, engine):
    """Plan the engine's next burst."""
    state = f.ENGINE + engine
    position, line = mem[state, f.E_POSITION], config[f.C_LINE_BEATS]
    beats = min(mem[state, f.E_TOTAL] - position, config[f.C_BURST_BEATS], line - position % line)
    take = max(mem[state, f.E_VALID], reg[f.R_LAST_TAKE] + 1)
    if reg[f.R_BURSTS] >= config[f.C_OUTSTANDING]:
        take = max(take, _past(reg, mem, config[f.C_OUTSTANDING], f.H_END) + 1)
    free = reg[f.R_LINK_FREE]
    start = max(service_before(config, take + 1 + config[f.C_LATENCY]), free)
    span = beats * config[f.C_CYCLES_PER_BEAT]
    same_span = reg[f.R_CONTIGUOUS] > 0 and _past(reg, mem, 1, f.H_SPAN) == span
    reg[f.R_CONTIGUOUS] = reg[f.R_CONTIGUOUS] + 1 if same_span and start == free else 1
    same_engine = reg[f.R_UNIFORM] > 0 and mem[f.TRAIN + reg[f.R_TRAINS] - 1, f.T_ENGINE] == engine
    reg[f.R_UNIFORM] = reg[f.R_UNIFORM] + 1 if same_span and same_engine else 1
    row = append_train(config, reg, mem, engine, beats, 1, start, span)
    mem[row, f.T_TAKE] = take
    mem[row, f.T_INDEX] = reg[f.R_BURSTS]
    mem[row, f.T_INDEX_STRIDE] = 1
    end = cycle_of(config, start + span - 1)
    _remember(mem, reg[f.R_BURSTS], take, end, start, span)
    reg[f.R_BURSTS] += 1
    reg[f.R_LINK_FREE] = start + span
    _move_engine(reg, mem, engine, beats, take, end)


@compiled
def _remember(mem, index, take, end, start, span):
    row = f.HISTORY + index % f.RING
    mem[row, f.H_TAKE] = take
    mem[row, f.H_END] = end
    mem[row, f.H_START] = start
    mem[row, f.H_SPAN] = span


@compiled
def _move_engine(reg, mem, engine, beats, take, end):
    """Account for requests up to the one in cycle `take`, whose last beat comes in cycle `end`."""
    state = f.ENGINE + engine
    mem[state, f.E_POSITION] += beats
    mem[state, f.E_VALID] = take + 2
    mem[state, f.E_LAST] = end
    reg[f.R_LAST_TAKE] = take
    if mem[state, f.E_POSITION] == mem[state, f.E_TOTAL]:
        mem[state, f.E_ACTIVE] = 0
        mem[state, f.E_READY] = take + 1
        mem[f.ENTRY + mem[state, f.E_ENTRY], f.X_COMPLETE] = end + STATUS


@compiled
def _plan_pattern(config, reg, mem, engine):
    """Plan all equal bursts left if the recurrence has settled; return whether it has."""
    state = f.ENGINE + engine
    beats, line = min(config[f.C_BURST_BEATS], config[f.C_LINE_BEATS]), config[f.C_LINE_BEATS]
    if line % beats:
        return False
    left = (mem[state, f.E_TOTAL] - mem[state, f.E_POSITION]) // beats
    span = beats * config[f.C_CYCLES_PER_BEAT]
    if left < 3 or reg[f.R_CONTIGUOUS] == 0 or _past(reg, mem, 1, f.H_SPAN) != span:
        return False
    if _plan_saturated(config, reg, mem, engine, beats, left):
        return True
    return _plan_repeating(config, reg, mem, engine, beats, left)


@compiled
def _plan_saturated(config, reg, mem, engine, beats, count):
    """Plan `count` bursts on a link that never idles: each is requested when the one N before it has ended."""
    most, span = config[f.C_OUTSTANDING], beats * config[f.C_CYCLES_PER_BEAT]
    if reg[f.R_CONTIGUOUS] < most or span < 2 or (most - 1) * span < config[f.C_LATENCY] + 1:
        return False
    take = _past(reg, mem, most, f.H_END) + 1
    if max(mem[f.ENGINE + engine, f.E_VALID], reg[f.R_LAST_TAKE] + 1) > take:
        return False
    service = _past(reg, mem, most, f.H_START) + span - 1
    start = reg[f.R_LINK_FREE]
    row = append_train(config, reg, mem, engine, beats, count, start, span)
    mem[row, f.T_TAKE] = take
    mem[row, f.T_TAKE_SERVICE] = service
    mem[row, f.T_INDEX] = reg[f.R_BURSTS]
    mem[row, f.T_INDEX_STRIDE] = 1
    _remember_train(config, mem, row)
    reg[f.R_BURSTS] += count
    reg[f.R_CONTIGUOUS] += count
    reg[f.R_UNIFORM] += count
    reg[f.R_LINK_FREE] = start + count * span
    last = count - 1
    _move_engine(reg, mem, engine, beats * count, take_of(config, mem, row, last), end_of(config, mem, row, last))
    return True


@compiled
def _plan_repeating(config, reg, mem, engine, beats, left):
    """Plan rounds of N bursts on a link that waits for addresses, if the last round was the one before, only later."""
    most = config[f.C_OUTSTANDING]
    rounds = left // most
    if config[f.C_BACKGROUND_LENGTH] or rounds < 2 or reg[f.R_UNIFORM] <= most or reg[f.R_BURSTS] < 2 * most:
        return False
    later = _past(reg, mem, 1, f.H_END) - _past(reg, mem, 1 + most, f.H_END)
    if _past(reg, mem, 1, f.H_TAKE) - _past(reg, mem, 1 + most, f.H_TAKE) != later:
        return False
    for ago in range(2, most + 1):
        if _past(reg, mem, ago, f.H_END) - _past(reg, mem, ago + most, f.H_END) != later:
            return False
    first = reg[f.R_BURSTS]
    valid = mem[f.ENGINE + engine, f.E_VALID]
    row = 0
    for phase in range(most):
        model = f.HISTORY + (first - most + phase) % f.RING
        row = append_train(config, reg, mem, engine, beats, rounds, mem[model, f.H_START] + later, later)
        mem[row, f.T_TAKE] = mem[model, f.H_TAKE] + later
        mem[row, f.T_BEFORE] = valid
        mem[row, f.T_INDEX] = first + phase
        mem[row, f.T_INDEX_STRIDE] = most
    for past in range(row - most + 1, row + 1):
        _remember_train(config, mem, past)
    reg[f.R_BURSTS] += rounds * most
    reg[f.R_CONTIGUOUS] = 1
    reg[f.R_UNIFORM] += rounds * most
    end = end_of(config, mem, row, rounds - 1)
    reg[f.R_LINK_FREE] = end + 1
    _move_engine(reg, mem, engine, beats * rounds * most, take_of(config, mem, row, rounds - 1), end)
    return True


@compiled
def _remember_train(config, mem, row):
    """Enter a train's last bursts into the history."""
    count, span = mem[row, f.T_COUNT], mem[row, f.T_BEATS] * config[f.C_CYCLES_PER_BEAT]
    for number in range(max(0, count - f.RING // 4), count):
        index = mem[row, f.T_INDEX] + number * mem[row, f.T_INDEX_STRIDE]
        start = mem[row, f.T_START] + number * mem[row, f.T_STRIDE]
        _remember(mem, index, take_of(config, mem, row, number), cycle_of(config, start + span - 1), start, span)


@compiled
def cut_plan(config, reg, mem, cycle):
    """Take back all requests from `cycle` on: what orders them has changed."""
    while reg[f.R_PLAN_OPEN] and reg[f.R_LAST_TAKE] < cycle:
        extend_plan(config, reg, mem)
    first, kept, long = f.TRAIN + reg[f.R_TRAIN_FIXED], f.TRAIN + reg[f.R_TRAIN_FIXED], False
    for row in range(first, f.TRAIN + reg[f.R_TRAINS]):
        count = mem[row, f.T_COUNT]
        stays = taken_before(config, mem, row, cycle)
        if stays < count:
            _give_back(config, mem, row, stays)
            reg[f.R_BURSTS] -= count - stays
            long |= count > 1
        if stays:
            if row != kept:
                for column in range(f.N_TRAIN):
                    mem[kept, column] = mem[row, column]
            kept += 1
    reg[f.R_TRAINS] = kept - f.TRAIN
    reg[f.R_TRAIN_FIXED] = reg[f.R_TRAINS]
    reg[f.R_LAST_TAKE] = cycle - 1
    _find_ends(config, reg, mem)
    if long:
        for row in range(f.TRAIN + max(0, reg[f.R_TRAINS] - f.RING), f.TRAIN + reg[f.R_TRAINS]):
            _remember_train(config, mem, row)
    reg[f.R_CONTIGUOUS] = 0
    reg[f.R_UNIFORM] = 0


@compiled
def _give_back(config, mem, row, stays):
    """Return all but the first `stays` bursts of a train to its engine."""
    state = f.ENGINE + mem[row, f.T_ENGINE]
    if not mem[state, f.E_CUT]:
        mem[state, f.E_VALID] = mem[row, f.T_BEFORE]
    if stays:
        mem[state, f.E_VALID] = max(mem[state, f.E_VALID], take_of(config, mem, row, stays - 1) + 2)
    mem[state, f.E_CUT] = 1
    mem[state, f.E_POSITION] -= (mem[row, f.T_COUNT] - stays) * mem[row, f.T_BEATS]
    mem[state, f.E_ACTIVE] = 1
    mem[state, f.E_READY] = f.INF
    mem[f.ENTRY + mem[state, f.E_ENTRY], f.X_COMPLETE] = f.INF
    mem[row, f.T_COUNT] = stays
    if stays:
        mark_done(config, mem, row)


@compiled
def _find_ends(config, reg, mem):
    """Find the link's next free cycle, and each engine's last beat, after a cut."""
    free = 0
    for engine in range(2):
        mem[f.ENGINE + engine, f.E_LAST] = 0
        mem[f.ENGINE + engine, f.E_CUT] = 0
    for row in range(f.TRAIN + reg[f.R_TRAIN_FIRST], f.TRAIN + reg[f.R_TRAINS]):
        last = mem[row, f.T_COUNT] - 1
        free = max(
            free, mem[row, f.T_START] + last * mem[row, f.T_STRIDE] + mem[row, f.T_BEATS] * config[f.C_CYCLES_PER_BEAT]
        )
        state = f.ENGINE + mem[row, f.T_ENGINE]
        if mem[state, f.E_ENTRY] == mem[row, f.T_ENTRY]:
            mem[state, f.E_LAST] = max(mem[state, f.E_LAST], end_of(config, mem, row, last))
    reg[f.R_LINK_FREE] = free

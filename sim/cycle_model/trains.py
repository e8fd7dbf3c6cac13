"""Trains: bursts of one transfer that are planned together, a row of `mem` each, in the order of their requests.

In service time a train has no gaps, or the same gap after each round of N bursts; so burst m's place on the link follows
from the train's, however many bursts it has. Requests come every second cycle (while fewer than N bursts are under way),
or each when the burst N before it has ended. Rows stay until nothing needs them: before R_TRAIN_FIRST all beats are in
the SRAM, before R_TRAIN_FIXED all bursts have been requested, so that nothing can change them any more.
"""

from . import fields as f
from .compiled import compiled
from .link import cycle_of, service_before

SINK = 2
"""Cycles from a beat on the bus to the cycle in which it occupies its SRAM bank."""
CUT = 2
"""Cycles from a request to the engine's next one."""
KEPT = 80
"""Rows of the past that are kept: more than the bursts that later ones can depend on."""


@compiled
def service_end(config, mem, row, number):
    """Return the service cycle after the last one of burst `number`."""
    rounds = number // mem[row, f.T_ROUND]
    first = rounds * mem[row, f.T_ROUND] * mem[row, f.T_UNIT]
    beats = min((number + 1) * mem[row, f.T_UNIT], mem[row, f.T_BEATS]) - first
    return mem[row, f.T_START] + rounds * mem[row, f.T_STRIDE] + beats * config[f.C_CYCLES_PER_BEAT]


@compiled
def end_of(config, mem, row, number):
    """Return the cycle of the last beat of burst `number`."""
    return cycle_of(config, service_end(config, mem, row, number) - 1)


@compiled
def end_of_burst(config, reg, mem, index):
    """Return the cycle of a burst's last beat, by its number since the beginning; -1 if that is long ago."""
    row = f.TRAIN + reg[f.R_TRAINS] - 1
    while row >= f.TRAIN:
        if mem[row, f.T_INDEX] <= index:
            return end_of(config, mem, row, index - mem[row, f.T_INDEX])
        row -= 1
    return -1


@compiled
def take_of(config, reg, mem, row, number):
    """Return the cycle in which a burst is taken from its engine; AR follows a cycle later."""
    if mem[row, f.T_FOLLOWS]:
        return end_of_burst(config, reg, mem, mem[row, f.T_INDEX] + number - config[f.C_OUTSTANDING]) + 1
    return mem[row, f.T_TAKE] + CUT * number


@compiled
def ended_before(config, reg, mem, cycle):
    """Return how many bursts of all have had their last beat before `cycle`."""
    if reg[f.R_TRAIN_FIRST] == reg[f.R_TRAINS]:
        return reg[f.R_BURSTS]
    found = mem[f.TRAIN + reg[f.R_TRAIN_FIRST], f.T_INDEX]
    service = service_before(config, cycle)
    for row in range(f.TRAIN + reg[f.R_TRAIN_FIRST], f.TRAIN + reg[f.R_TRAINS]):
        ahead = service - mem[row, f.T_START]
        if ahead <= 0:
            break
        rounds = ahead // mem[row, f.T_STRIDE]
        rest = ahead - rounds * mem[row, f.T_STRIDE]
        done = rest // (mem[row, f.T_UNIT] * config[f.C_CYCLES_PER_BEAT])
        ended = rounds * mem[row, f.T_ROUND] + min(done, mem[row, f.T_ROUND])
        if service >= service_end(config, mem, row, mem[row, f.T_COUNT] - 1):
            ended = mem[row, f.T_COUNT]
        found += min(ended, mem[row, f.T_COUNT])
    return found


@compiled
def taken_before(config, mem, row, cycle, ended):
    """Return how many bursts of a train are taken before `cycle`; `ended` is `ended_before` the cycle before it."""
    if mem[row, f.T_FOLLOWS]:
        taken = ended + config[f.C_OUTSTANDING] - mem[row, f.T_INDEX]
    else:
        taken = (cycle - mem[row, f.T_TAKE] + CUT - 1) // CUT
    return min(mem[row, f.T_COUNT], max(0, taken))


@compiled
def beats_before(config, mem, row, service):
    """Return how many beats of a train are done before a service cycle."""
    ahead = service - mem[row, f.T_START]
    if ahead <= 0:
        return 0
    rounds = ahead // mem[row, f.T_STRIDE]
    part = (ahead - rounds * mem[row, f.T_STRIDE]) // config[f.C_CYCLES_PER_BEAT]
    whole = mem[row, f.T_ROUND] * mem[row, f.T_UNIT]
    return min(rounds * whole + min(part, whole), mem[row, f.T_BEATS])


@compiled
def writes_of(config, mem, row, cycle):
    """Return how many beats of a train enter their bank before `cycle`."""
    return beats_before(config, mem, row, min(service_before(config, cycle - SINK), mem[row, f.T_LIMIT]))


@compiled
def first_write(config, mem, row):
    """Return the cycle in which a train's first beat enters its bank."""
    return cycle_of(config, mem[row, f.T_START] + config[f.C_CYCLES_PER_BEAT] - 1) + SINK


@compiled
def append_train(config, reg, mem, engine, unit, count, beats):
    """Add a train of the engine's transfer and return its row; the caller sets its requests and place on the link."""
    if reg[f.R_TRAINS] == f.TRAINS:
        _forget(reg, mem)
    row = f.TRAIN + reg[f.R_TRAINS]
    reg[f.R_TRAINS] += 1
    state = f.ENGINE + engine
    entry = mem[state, f.E_ENTRY]
    mem[row, f.T_ENTRY] = entry
    mem[row, f.T_ENGINE] = engine
    mem[row, f.T_BANK] = mem[state, f.E_BANK]
    mem[row, f.T_CLASS] = mem[f.ENTRY + entry, f.X_DEMANDED]
    mem[row, f.T_COUNT] = count
    mem[row, f.T_UNIT] = unit
    mem[row, f.T_BEATS] = beats
    mem[row, f.T_FOLLOWS] = 0
    mem[row, f.T_ROUND] = count
    mem[row, f.T_STRIDE] = f.INF
    mem[row, f.T_INDEX] = reg[f.R_BURSTS]
    mem[row, f.T_LIMIT] = f.INF
    mem[row, f.T_BEFORE] = mem[state, f.E_VALID]
    return row


@compiled
def mark_done(config, mem, row):
    """Note when a train's last beat is in the SRAM; return the cycle of that beat on the bus."""
    end = end_of(config, mem, row, mem[row, f.T_COUNT] - 1)
    mem[row, f.T_DONE] = end + SINK + 1
    bank = f.BANK + mem[row, f.T_BANK]
    mem[bank, 0] = max(mem[bank, 0], end + SINK + 1)
    return end


@compiled
def _forget(reg, mem):
    """Drop rows of the past to make room."""
    kept_from = max(0, reg[f.R_TRAIN_FIRST] - KEPT)
    if kept_from == 0:
        raise RuntimeError("cycle model: more trains under way than it has room for")
    for row in range(f.TRAIN + kept_from, f.TRAIN + reg[f.R_TRAINS]):
        for column in range(f.N_COLUMNS):
            mem[row - kept_from, column] = mem[row, column]
    reg[f.R_TRAIN_FIRST] -= kept_from
    reg[f.R_TRAIN_FIXED] -= kept_from
    reg[f.R_TRAINS] -= kept_from


@compiled
def retire_trains(config, reg, mem, cycle):
    """Count the beats of trains that were in the SRAM before `cycle`."""
    while reg[f.R_TRAIN_FIRST] < reg[f.R_TRAINS]:
        row = f.TRAIN + reg[f.R_TRAIN_FIRST]
        if mem[row, f.T_DONE] > cycle:
            return
        beats = mem[row, f.T_BEATS]
        used = beats if mem[row, f.T_LIMIT] == f.INF else beats_before(config, mem, row, mem[row, f.T_LIMIT])
        reg[f.K_DISCARDED_BEATS] += beats - used
        if mem[row, f.T_CLASS] == f.DEMAND:
            reg[f.K_DEMAND_BEATS] += used
        else:
            reg[f.K_PREFETCH_BEATS] += used
        reg[f.R_TRAIN_FIRST] += 1
        reg[f.R_TRAIN_FIXED] = max(reg[f.R_TRAIN_FIXED], reg[f.R_TRAIN_FIRST])

"""Trains: bursts of one transfer at equal distances, a row of `mem` each, in the order of their requests.

A train of one burst is the rule; where requests have settled into a pattern, one train (or one for each burst of the
pattern) stands for all that follow, however many. Rows stay until nothing needs them: before R_TRAIN_FIRST all beats are
in the SRAM, before R_TRAIN_FIXED all bursts have been requested, so that nothing can change them any more.
"""

from . import fields as f
from .compiled import compiled
from .link import cycle_of, service_before

SINK = 2
"""Cycles from a beat on the bus to the cycle in which it occupies its SRAM bank."""
KEPT = 80
"""Rows of the past that are kept: more than the bursts that later ones can depend on."""


@compiled
def take_of(config, mem, row, number):
    """Return the cycle in which burst `number` of a train is requested from the engine; AR follows a cycle later."""
    moved = number * mem[row, f.T_STRIDE]
    if mem[row, f.T_TAKE_SERVICE] < 0:
        return mem[row, f.T_TAKE] + moved
    return cycle_of(config, mem[row, f.T_TAKE_SERVICE] + moved) + 1


@compiled
def service_end(config, mem, row, number):
    """Return the service cycle after the last one of burst `number`."""
    span = mem[row, f.T_BEATS] * config[f.C_CYCLES_PER_BEAT]
    return mem[row, f.T_START] + number * mem[row, f.T_STRIDE] + span


@compiled
def end_of(config, mem, row, number):
    """Return the cycle of the last beat of burst `number`."""
    return cycle_of(config, service_end(config, mem, row, number) - 1)


@compiled
def taken_before(config, mem, row, cycle):
    """Return how many bursts of a train are requested before `cycle`."""
    count, stride = mem[row, f.T_COUNT], mem[row, f.T_STRIDE]
    if count == 1:
        return 1 if mem[row, f.T_TAKE] < cycle else 0
    if mem[row, f.T_TAKE_SERVICE] < 0:
        ahead = cycle - mem[row, f.T_TAKE]
    else:
        ahead = service_before(config, cycle - 1) - mem[row, f.T_TAKE_SERVICE]
    return min(count, max(0, (ahead + stride - 1) // stride))


@compiled
def beats_before(config, mem, row, service):
    """Return how many beats of a train are done before a service cycle."""
    ahead = service - mem[row, f.T_START]
    if ahead <= 0:
        return 0
    beats, stride = mem[row, f.T_BEATS], mem[row, f.T_STRIDE]
    whole = ahead // stride
    if whole >= mem[row, f.T_COUNT]:
        return mem[row, f.T_COUNT] * beats
    part = (ahead - whole * stride) // config[f.C_CYCLES_PER_BEAT]
    return whole * beats + min(part, beats)


@compiled
def writes_before(config, reg, mem, bank, cycle):
    """Return how many beats of the trains in the list enter `bank` before `cycle`."""
    found = 0
    service = service_before(config, cycle - SINK)
    for row in range(f.TRAIN + reg[f.R_TRAIN_FIRST], f.TRAIN + reg[f.R_TRAINS]):
        if mem[row, f.T_BANK] == bank:
            found += beats_before(config, mem, row, min(service, mem[row, f.T_LIMIT]))
    return found


@compiled
def append_train(config, reg, mem, engine, beats, count, start, stride):
    """Add a train of the engine's transfer and return its row; the caller sets its requests and numbers."""
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
    mem[row, f.T_BEATS] = beats
    mem[row, f.T_START] = start
    mem[row, f.T_STRIDE] = stride
    mem[row, f.T_LIMIT] = f.INF
    mem[row, f.T_BEFORE] = mem[state, f.E_VALID]
    mem[row, f.T_TAKE_SERVICE] = -1
    mark_done(config, mem, row)
    return row


@compiled
def mark_done(config, mem, row):
    """Note when a train's last beat is in the SRAM."""
    done = end_of(config, mem, row, mem[row, f.T_COUNT] - 1) + SINK + 1
    mem[row, f.T_DONE] = done
    bank = f.BANK + mem[row, f.T_BANK]
    mem[bank, 0] = max(mem[bank, 0], done)


@compiled
def _forget(reg, mem):
    """Drop rows of the past to make room."""
    kept_from = max(0, reg[f.R_TRAIN_FIRST] - KEPT)
    if kept_from == 0:
        raise RuntimeError("cycle model: more trains under way than it has room for")
    for row in range(f.TRAIN + kept_from, f.TRAIN + reg[f.R_TRAINS]):
        for column in range(f.N_TRAIN):
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
        beats = mem[row, f.T_COUNT] * mem[row, f.T_BEATS]
        used = beats_before(config, mem, row, mem[row, f.T_LIMIT])
        reg[f.K_BURSTS] += mem[row, f.T_COUNT]
        reg[f.K_DISCARDED_BEATS] += beats - used
        if mem[row, f.T_CLASS] == f.DEMAND:
            reg[f.K_DEMAND_BEATS] += used
        else:
            reg[f.K_PREFETCH_BEATS] += used
        reg[f.R_TRAIN_FIRST] += 1
        reg[f.R_TRAIN_FIXED] = max(reg[f.R_TRAIN_FIXED], reg[f.R_TRAIN_FIRST])

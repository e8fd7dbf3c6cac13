"""Trains: bursts of one transfer that are planned together, a row of `mem` each, in the order of their requests.

In service time a train has no gaps, or the same gap after each round of N bursts; so burst m's place on the link
follows from the train's, however many bursts it has. Requests come every second cycle (while fewer than N bursts are
under way), or each when the burst N before it has ended. Rows stay until nothing needs them: before
R_TRAIN_FIRST all beats are in the SRAM, before R_TRAIN_FIXED all bursts have been requested, so that nothing can
change them any more.
"""

from . import fields as f
from .compiled import compiled, inlined
from .link import cycle_of, quotient, service_before

SINK = 2
"""Cycles from a beat on the bus to the cycle in which it occupies its SRAM bank."""
CUT = 2
"""Cycles from a request to the engine's next one."""
KEPT = 80
"""Rows of the past that are kept: more than the bursts that later ones can depend on."""


@compiled
def service_end(mem, row, number):
    """Return the service cycle after the last one of burst `number`."""
    rounds = quotient(number, mem[row, f.T_ROUND])
    first = rounds * mem[row, f.T_ROUND] * mem[row, f.T_UNIT]
    beats = min((number + 1) * mem[row, f.T_UNIT], mem[row, f.T_BEATS]) - first
    return mem[row, f.T_START] + rounds * mem[row, f.T_STRIDE] + beats * mem[f.C_CYCLES_PER_BEAT]


@inlined
def end_of(mem, row, number):
    """Return the cycle of the last beat of burst `number`."""
    return cycle_of(mem, service_end(mem, row, number) - 1)


@compiled
def end_of_burst(mem, index):
    """Return the cycle of a burst's last beat, by its number since the beginning; -1 if that is long ago."""
    row = f.TRAIN + mem[f.R_TRAINS] - 1
    while row >= f.TRAIN:
        if mem[row, f.T_INDEX] <= index:
            return end_of(mem, row, index - mem[row, f.T_INDEX])
        row -= 1
    return -1


@compiled
def take_of(mem, row, number):
    """Return the cycle in which a burst is taken from its engine; AR follows a cycle later."""
    if mem[row, f.T_FOLLOWS]:
        return end_of_burst(mem, mem[row, f.T_INDEX] + number - mem[f.C_OUTSTANDING]) + 1
    return mem[row, f.T_TAKE] + CUT * number


@compiled
def ended_before(mem, cycle):
    """Return how many bursts of all have had their last beat before `cycle`."""
    if mem[f.R_TRAIN_FIRST] == mem[f.R_TRAINS]:
        return mem[f.R_BURSTS]
    found = mem[f.TRAIN + mem[f.R_TRAIN_FIRST], f.T_INDEX]
    service = service_before(mem, cycle)
    for row in range(f.TRAIN + mem[f.R_TRAIN_FIRST], f.TRAIN + mem[f.R_TRAINS]):
        ahead = service - mem[row, f.T_START]
        if ahead <= 0:
            break
        rounds = quotient(ahead, mem[row, f.T_STRIDE])
        rest = ahead - rounds * mem[row, f.T_STRIDE]
        done = rest // (mem[row, f.T_UNIT] * mem[f.C_CYCLES_PER_BEAT])
        ended = rounds * mem[row, f.T_ROUND] + min(done, mem[row, f.T_ROUND])
        if service >= service_end(mem, row, mem[row, f.T_COUNT] - 1):
            ended = mem[row, f.T_COUNT]
        found += min(ended, mem[row, f.T_COUNT])
    return found


@compiled
def taken_before(mem, row, cycle, ended):
    """Return how many bursts of a train are taken before `cycle`; `ended` is `ended_before` the cycle before it."""
    if mem[row, f.T_FOLLOWS]:
        taken = ended + mem[f.C_OUTSTANDING] - mem[row, f.T_INDEX]
    else:
        taken = (cycle - mem[row, f.T_TAKE] + CUT - 1) // CUT
    return min(mem[row, f.T_COUNT], max(0, taken))


@compiled
def beats_before(mem, row, service):
    """Return how many beats of a train are done before a service cycle."""
    ahead = service - mem[row, f.T_START]
    if ahead <= 0:
        return 0
    rounds = quotient(ahead, mem[row, f.T_STRIDE])
    part = quotient(ahead - rounds * mem[row, f.T_STRIDE], mem[f.C_CYCLES_PER_BEAT])
    whole = mem[row, f.T_ROUND] * mem[row, f.T_UNIT]
    return min(rounds * whole + min(part, whole), mem[row, f.T_BEATS])


@inlined
def writes_of(mem, row, cycle):
    """Return how many beats of a train enter their bank before `cycle`."""
    return beats_before(mem, row, min(service_before(mem, cycle - SINK), mem[row, f.T_LIMIT]))


@compiled
def first_write(mem, row):
    """Return the cycle in which a train's first beat enters its bank."""
    return cycle_of(mem, mem[row, f.T_START] + mem[f.C_CYCLES_PER_BEAT] - 1) + SINK


@compiled
def append_train(mem, engine, unit, count, beats):
    """Add a train of the engine's transfer and return its row; the caller sets its requests and place on the link."""
    if mem[f.R_TRAINS] == f.TRAINS:
        _forget(mem)
    row = f.TRAIN + mem[f.R_TRAINS]
    mem[f.R_TRAINS] += 1
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
    mem[row, f.T_INDEX] = mem[f.R_BURSTS]
    mem[row, f.T_LIMIT] = f.INF
    mem[row, f.T_BEFORE] = mem[state, f.E_VALID]
    return row


@compiled
def mark_done(mem, row):
    """Note when a train's last beat is in the SRAM; return the cycle of that beat on the bus."""
    end = end_of(mem, row, mem[row, f.T_COUNT] - 1)
    mem[row, f.T_DONE] = end + SINK + 1
    bank = f.BANK + mem[row, f.T_BANK]
    mem[bank, 0] = max(mem[bank, 0], end + SINK + 1)
    return end


@compiled
def _forget(mem):
    """Drop rows of the past to make room."""
    kept_from = max(0, mem[f.R_TRAIN_FIRST] - KEPT)
    if kept_from == 0:
        raise RuntimeError("cycle model: more trains under way than it has room for")
    for row in range(f.TRAIN + kept_from, f.TRAIN + mem[f.R_TRAINS]):
        for column in range(f.N_COLUMNS):
            mem[row - kept_from, column] = mem[row, column]
    mem[f.R_TRAIN_FIRST] -= kept_from
    mem[f.R_TRAIN_FIXED] -= kept_from
    mem[f.R_TRAINS] -= kept_from


@inlined
def retire_trains(mem, cycle):
    """Count the beats of trains that were in the SRAM before `cycle`."""
    while mem[f.R_TRAIN_FIRST] < mem[f.R_TRAINS]:
        row = f.TRAIN + mem[f.R_TRAIN_FIRST]
        if mem[row, f.T_DONE] > cycle:
            return
        beats = mem[row, f.T_BEATS]
        used = beats if mem[row, f.T_LIMIT] == f.INF else beats_before(mem, row, mem[row, f.T_LIMIT])
        mem[f.K_DISCARDED_BEATS] += beats - used
        if mem[row, f.T_CLASS] == f.DEMAND:
            mem[f.K_DEMAND_BEATS] += used
        else:
            mem[f.K_PREFETCH_BEATS] += used
        mem[f.R_TRAIN_FIRST] += 1
        mem[f.R_TRAIN_FIXED] = max(mem[f.R_TRAIN_FIXED], mem[f.R_TRAIN_FIRST])

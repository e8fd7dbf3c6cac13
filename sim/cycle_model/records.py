"""What every commit leaves: a record in the log, and counts by layer and source."""

from ...hw.records import Source
from . import fields as f
from .compiled import compiled

SOURCES = len(Source)


@compiled
def log(mem, store, cycle, kind, outcome, layer, expert, slot, score, source, deadline):
    """Count a record that shows in `cycle`, and keep it if asked to."""
    mem[f.R_RECORDS] += 1
    if mem[f.C_LOGGING]:
        row = store.log[mem[f.R_LOGGED]]
        row[f.O_CYCLE] = cycle
        row[f.O_KIND] = kind
        row[f.O_OUTCOME] = outcome
        row[f.O_LAYER] = layer
        row[f.O_EXPERT] = expert
        row[f.O_SLOT] = slot
        row[f.O_SCORE] = score
        row[f.O_SOURCE] = source
        row[f.O_DEADLINE] = deadline
        mem[f.R_LOGGED] += 1


@compiled
def count(mem, name, layer):
    """Count what no candidate caused, in its layer's rows of the statistics."""
    mem[f.STATISTIC + 2 * (SOURCES + layer) + name // f.N_COLUMNS, name % f.N_COLUMNS] += 1


@compiled
def count_prefetch(mem, name, layer, source):
    """Count what befell a candidate or a prefetch that `source` named."""
    mem[f.STATISTIC + 2 * (SOURCES + layer) + name // f.N_COLUMNS, name % f.N_COLUMNS] += 1
    mem[f.STATISTIC + 2 * source + name // f.N_COLUMNS, name % f.N_COLUMNS] += 1


@compiled
def end_unused(mem, slot, counter, name):
    """Count how the prefetch in `slot` ends if nobody has used it."""
    row = f.SLOT + slot
    if mem[row, f.S_UNUSED]:
        mem[row, f.S_UNUSED] = 0
        mem[counter] += 1
        count_prefetch(mem, name, mem[row, f.S_LAYER], mem[row, f.S_SOURCE])

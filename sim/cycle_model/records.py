"""What every commit leaves: a record in the log, and counts by layer and source."""

from ...hw.records import Source
from . import fields as f
from .compiled import compiled

SOURCES = len(Source)
GRANT = -1
"""Stands in a log for a grant, in the place of a record's kind."""


@compiled
def keep_record(mem, log, cycle, kind, outcome, layer, expert, slot, score, source, deadline):
    """Count a record that shows in `cycle`, and log it if asked to."""
    mem[f.R_RECORDS] += 1
    if mem[f.C_LOGGING]:
        row = mem[f.R_LOGGED]
        log[row, f.O_CYCLE] = cycle
        log[row, f.O_KIND] = kind
        log[row, f.O_OUTCOME] = outcome
        log[row, f.O_LAYER] = layer
        log[row, f.O_EXPERT] = expert
        log[row, f.O_SLOT] = slot
        log[row, f.O_SCORE] = score
        log[row, f.O_SOURCE] = source
        log[row, f.O_DEADLINE] = deadline
        mem[f.R_LOGGED] = row + 1


@compiled
def log_grant(mem, log, cycle, layer, expert, slot, status):
    """Log that a grant was taken in `cycle`; its kind is none of the records'."""
    row = mem[f.R_LOGGED]
    log[row, f.O_CYCLE] = cycle
    log[row, f.O_KIND] = GRANT
    log[row, f.O_OUTCOME] = status
    log[row, f.O_LAYER] = layer
    log[row, f.O_EXPERT] = expert
    log[row, f.O_SLOT] = slot
    mem[f.R_LOGGED] = row + 1


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

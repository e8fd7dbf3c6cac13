"""When the experts that predictor `weights` names come out of its selection, best first.

The hardware keeps the best of each group of lanes; naming one costs the search of its group, which goes on while the
expert waits to be taken.
"""

from . import fields as f
from .compiled import compiled

FIRST = 6
"""Cycles from the last scores to the first expert on offer."""
NEXT = 4
"""Cycles from an expert being taken to the next one on offer."""
SEARCH = 5
"""Cycles from an expert on offer to the next one, at least: its group is searched meanwhile."""


@compiled
def begin_selection(mem, prediction):
    """Offer the best expert of the prediction that is to be emitted next; its D_START is known."""
    row = f.PREDICTION + prediction % f.PREDICTIONS
    mem[f.R_RANK] = 0
    mem[f.R_OFFERED] = mem[row, f.D_START] + FIRST if mem[row, f.D_COUNT] else f.INF


@compiled
def take_selected(mem, prediction, cycle):
    """Take the expert on offer in `cycle`, and offer the next one."""
    mem[f.R_RANK] += 1
    if mem[f.R_RANK] == mem[f.PREDICTION + prediction % f.PREDICTIONS, f.D_COUNT]:
        mem[f.R_OFFERED] = f.INF
    else:
        mem[f.R_OFFERED] = max(cycle + NEXT, mem[f.R_OFFERED] + SEARCH)

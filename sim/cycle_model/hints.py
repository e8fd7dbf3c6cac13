"""Hints on their way: the agent's beats, one register, and the order in which hints and predictions are heard."""

from . import fields as f
from .compiled import compiled


@compiled
def hint_time(mem):
    """Return the first cycle in which a hint is on offer; a beat that the register has room for is taken now."""
    if mem[f.R_HINT_HELD] < 0 and mem[f.R_HINT_NEXT] < mem[f.R_HINT_END]:
        _hold_next(mem, mem[f.R_HINT_FROM])
    return mem[f.R_HINT_AT]


@compiled
def _hold_next(mem, cycle):
    """Take the agent's next hint in `cycle`."""
    row = mem[f.R_HINT_NEXT]
    mem[f.R_HINT_HELD] = mem[row, f.Y_LAYER]
    mem[f.R_HINT_EXPERT] = mem[row, f.Y_EXPERT]
    mem[f.R_HINT_SCORE] = mem[row, f.Y_SCORE]
    mem[f.R_HINT_NEXT] += 1
    mem[f.R_HINT_AT] = mem[f.R_HINT_FROM] = cycle + 1
    if mem[f.R_HINT_NEXT] == mem[f.R_HINT_END]:
        mem[f.R_AGENT_DONE] = cycle + 1


@compiled
def take_hint(mem, cycle):
    """Take the held hint; return its target event, layer, expert and score."""
    layer, expert, score = mem[f.R_HINT_HELD], mem[f.R_HINT_EXPERT], mem[f.R_HINT_SCORE]
    ahead = layer - mem[f.R_LAYER]
    if ahead <= 0:
        ahead += mem[f.C_LAYERS]
    mem[f.R_HINT_HELD] = -1
    mem[f.R_HINT_AT] = f.INF
    if mem[f.R_HINT_NEXT] < mem[f.R_HINT_END]:
        _hold_next(mem, max(cycle, mem[f.R_HINT_FROM]))
    return mem[f.R_CURRENT] + ahead, layer, expert, score

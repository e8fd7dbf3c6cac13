"""Hints on their way: the agent's beats, one register, and the order in which hints and predictions are heard."""

from . import fields as f
from .compiled import compiled


@compiled
def hint_time(reg):
    """Return the first cycle in which a hint is on offer; a beat that the register has room for is taken now."""
    if reg[f.R_HINT_HELD] < 0 and reg[f.R_HINT_NEXT] < reg[f.R_HINT_END]:
        _hold_next(reg, reg[f.R_HINT_FROM])
    return reg[f.R_HINT_AT]


@compiled
def _hold_next(reg, cycle):
    """Take the agent's next hint in `cycle`."""
    reg[f.R_HINT_HELD] = reg[f.R_HINT_NEXT]
    reg[f.R_HINT_NEXT] += 1
    reg[f.R_HINT_AT] = reg[f.R_HINT_FROM] = cycle + 1
    if reg[f.R_HINT_NEXT] == reg[f.R_HINT_END]:
        reg[f.R_AGENT_DONE] = cycle + 1


@compiled
def take_hint(config, reg, trace, cycle):
    """Take the held hint; return its target event, layer, expert and score."""
    hint = reg[f.R_HINT_HELD]
    layer = int(trace.hint_layer[hint])
    ahead = layer - reg[f.R_LAYER]
    if ahead <= 0:
        ahead += config[f.C_LAYERS]
    reg[f.R_HINT_HELD] = -1
    reg[f.R_HINT_AT] = f.INF
    if reg[f.R_HINT_NEXT] < reg[f.R_HINT_END]:
        _hold_next(reg, max(cycle, reg[f.R_HINT_FROM]))
    return reg[f.R_CURRENT] + ahead, layer, int(trace.hint_expert[hint]), int(trace.hint_score[hint])

"""The prefetch queue: by deadline, then score from high to low, then expert."""

from . import fields as f
from .compiled import compiled


@compiled
def is_queued(mem, layer, expert):
    """Return whether an expert waits in the queue."""
    for row in range(f.QUEUE, f.QUEUE + mem[f.R_QUEUE]):
        if mem[row, f.Q_EXPERT] == expert and mem[row, f.Q_LAYER] == layer:
            return True
    return False


@compiled
def place_of(mem, deadline, score, expert):
    """Return where a new entry goes: behind all that do not sort strictly after it."""
    place = mem[f.R_QUEUE]
    while place > 0:
        row = f.QUEUE + place - 1
        if mem[row, f.Q_DEADLINE] != deadline:
            after = mem[row, f.Q_DEADLINE] > deadline
        elif mem[row, f.Q_SCORE] != score:
            after = mem[row, f.Q_SCORE] < score
        else:
            after = mem[row, f.Q_EXPERT] > expert
        if not after:
            break
        place -= 1
    return place


@compiled
def insert(mem, place, deadline, layer, expert, score, source):
    """Put an entry at `place`; a full queue loses its last one, whose row must have been read before."""
    last = min(mem[f.R_QUEUE], mem[f.C_QUEUE_DEPTH] - 1)
    for row in range(f.QUEUE + last, f.QUEUE + place, -1):
        for column in range(f.N_QUEUE):
            mem[row, column] = mem[row - 1, column]
    row = f.QUEUE + place
    mem[row, f.Q_DEADLINE] = deadline
    mem[row, f.Q_LAYER] = layer
    mem[row, f.Q_EXPERT] = expert
    mem[row, f.Q_SCORE] = score
    mem[row, f.Q_SOURCE] = source
    mem[f.R_QUEUE] = last + 1


@compiled
def pop(mem):
    """Remove the first entry."""
    mem[f.R_QUEUE] -= 1
    for row in range(f.QUEUE, f.QUEUE + mem[f.R_QUEUE]):
        for column in range(f.N_QUEUE):
            mem[row, column] = mem[row + 1, column]

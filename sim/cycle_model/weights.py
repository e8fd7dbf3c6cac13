"""Weight tables: what they predict, what they learn, and how long the hardware takes for both.

After an event's last beat the hardware sums up what is not summed yet, learns, and lists and sums the older sources for
the event that should come next; only then the next event is taken. An event of another layer, or one that starts a
sequence, is listed and summed as a whole after its last beat.
"""

from ...hw.weight_rules import CENTRE, SCORE_STEPS
from . import fields as f
from .compiled import compiled

MAX_SCORE = 255
LISTED = 2
"""Cycles from the beginning of a list, beside the walk, to that of summing it up."""
ENGINE = 5
"""Cycles of a run of the engine beside those of its words."""
SUMMED = 1
"""Cycles from the beginning of summing, beside the engine's run, to the prediction."""
LEARNT = 3
"""Cycles from the prediction, beside the engine's run, to the end of learning."""
NOT_LEARNT = 1
"""Cycles from the prediction to the end of learning where nothing is learnt."""
PREPARED = 5
"""Cycles from the end of learning, beside the walk and the engine's run, to the next event's first beat."""


@compiled
def take_by_weights(mem, tables, number, layer, start, last_beat, count):
    """Predict and learn from an event of `count` members whose last beat is taken in cycle `last_beat`.

    Returns the cycle of the prediction, whose scores are in `tables.score` if it is emitted, and the first one in which
    the next event's first beat can be taken.
    """
    weights = tables.weights
    if start:
        weights.latest_count[:] = 0
        weights.layer[:] = -1
    target = (layer + mem[f.C_WEIGHT_AHEAD]) % mem[f.C_LAYERS]
    place, past = number % (mem[f.C_WEIGHT_AHEAD] + 1), (number + 1) % (mem[f.C_WEIGHT_AHEAD] + 1)
    older = _older_members(mem, weights, target, layer)
    predicted = last_beat + 1 + _summing(mem, count, older, layer == mem[f.R_WEIGHT_LAYER] and not start)
    emits = mem[f.C_SELECTED] == mem[f.C_WEIGHTS]
    if emits:
        _list_rows(mem, weights, place, target, layer, count)
        _add_up(mem, tables, place, target)
    learnt = predicted + NOT_LEARNT
    if weights.layer[past] == layer and weights.row_count[past]:
        learnt = predicted + _run(mem, weights.row_count[past]) + LEARNT
        if emits:
            _learn(mem, tables, past, layer)
    weights.layer[place] = target
    weights.row_count[place] = count + older
    weights.latest_count[layer] = count
    for index in range(count):
        weights.latest[layer, index] = mem[f.MEMBER + index, 0]
    return predicted, learnt + _preparing(mem, weights, layer)


@compiled
def _run(mem, rows):
    """Return the cycles of the engine's run over `rows` rows."""
    return max(rows, 1) * mem[f.C_WEIGHT_GROUPS] + ENGINE


@compiled
def _summing(mem, members, older, is_prepared):
    """Return the cycles in which the rows that are not summed yet are, listed before if nothing was prepared."""
    if is_prepared:
        return _run(mem, members) + SUMMED
    return mem[f.C_WEIGHT_WALK] + older + LISTED + _run(mem, members + older) + SUMMED


@compiled
def _preparing(mem, weights, layer):
    """Expect the event of the layer after `layer`; return the cycles in which its older sources are summed."""
    coming = (layer + 1) % mem[f.C_LAYERS]
    mem[f.R_WEIGHT_LAYER] = coming
    listed = _older_members(mem, weights, (coming + mem[f.C_WEIGHT_AHEAD]) % mem[f.C_LAYERS], coming)
    return mem[f.C_WEIGHT_WALK] + listed + _run(mem, listed) + PREPARED


@compiled
def _origin(mem, weights, source, target, current):
    """Return the layer that an older source of `target` is; -1 if it is the event's own, and so void."""
    origin = (target - weights.layers_back[source]) % mem[f.C_LAYERS]
    return -1 if source == mem[f.C_WEIGHT_OWN] or origin == current else origin


@compiled
def _older_members(mem, weights, target, current):
    """Return how many members the sources of `target` have, all but the event's own."""
    found = 0
    for source in range(len(weights.layers_back)):
        origin = _origin(mem, weights, source, target, current)
        if origin >= 0:
            found += weights.latest_count[origin]
    return found


@compiled
def _list_rows(mem, weights, place, target, layer, count):
    """List the rows of all members of all sources."""
    rows, listed = weights.rows[place], 0
    for index in range(count):
        rows[listed] = mem[f.C_WEIGHT_OWN] * mem[f.C_EXPERTS] + mem[f.MEMBER + index, 0]
        listed += 1
    for source in range(len(weights.layers_back)):
        origin = _origin(mem, weights, source, target, layer)
        if origin >= 0:
            for index in range(weights.latest_count[origin]):
                rows[listed] = source * mem[f.C_EXPERTS] + weights.latest[origin, index]
                listed += 1
    weights.row_count[place] = listed


@compiled
def _add_up(mem, tables, place, target):
    """Sum up the rows that are listed, and leave the scores in `tables.score`."""
    weights, bits = tables.weights, mem[f.C_WEIGHT_BITS]
    sums = weights.sums[place]
    sums[:] = -(1 << (bits - 1))
    for index in range(weights.row_count[place]):
        row = weights.table[target, weights.rows[place, index]]
        for expert in range(len(sums)):
            sums[expert] += row[expert]
    shift = max(0, bits - SCORE_STEPS)
    for expert in range(len(sums)):
        tables.score[expert] = min(max(CENTRE + (sums[expert] >> shift), 0), MAX_SCORE)


@compiled
def _learn(mem, tables, past, layer):
    """Teach the rows that the prediction of this event has read what it really selected."""
    weights, bits = tables.weights, mem[f.C_WEIGHT_BITS]
    margin, lowest, highest = 1 << bits, -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    sums = weights.sums[past]
    for expert in range(len(sums)):
        if tables.in_event[expert]:
            sums[expert] = 1 if sums[expert] < margin else 0
        else:
            sums[expert] = -1 if sums[expert] >= -margin else 0
    for index in range(weights.row_count[past]):
        row = weights.table[layer, weights.rows[past, index]]
        for expert in range(len(sums)):
            row[expert] = min(max(row[expert] + sums[expert], lowest), highest)

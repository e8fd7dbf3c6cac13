"""The predictors behind the event intake: when they take an event, what they predict and when they are free again."""

from . import fields as f
from .compiled import compiled, inlined
from .learner import learn, rank_experts, score_experts
from .ranking import begin_ranking, ranked_row, take_ranked
from .selection import begin_selection, take_selected
from .weights import take_by_weights

SCANNED = 6
"""Cycles from the last entries of a row being asked for to their being in the scores."""
HISTORY_LOADED = 3
"""Cycles from an event's first beat to the history being in the scores."""
TABLES_FREE = 2
"""Cycles from the start of learning, beside learning itself, to the next event's first beat."""
HELD = 1
"""Cycles of the hold timer itself."""


@compiled
def take_event(mem, tables, number, layer, start, first_beat, last_beat, scanned, count):
    """Predict and learn from an event whose first and last beat the predictors take in these cycles.

    `scanned` is the last cycle in which the members' rows are asked for, `count` the number of members.
    """
    if start:
        tables.history_valid[:] = 0
    _cancel_emission(mem, first_beat)
    free = 0
    for predictor in range(mem[f.C_PREDICTORS]):
        if predictor + 1 == mem[f.C_WEIGHTS]:
            done, end = take_by_weights(mem, tables, number, layer, start, last_beat, count)
            if mem[f.C_SELECTED] == predictor + 1:
                _predict(mem, tables, number, layer, mem[f.C_WEIGHT_AHEAD], done)
        else:
            end = _take_by_st_moe(mem, tables, predictor, number, layer, start, first_beat, last_beat, scanned, count)
        free = max(free, end)
    mem[f.R_TABLES_FREE] = free
    mem[f.R_PREVIOUS_LAYER] = layer
    mem[f.R_PREVIOUS_COUNT] = count
    tables.history_valid[layer] = 1
    for expert in range(mem[f.C_EXPERTS]):
        tables.history[layer, expert] = tables.in_event[expert]
    for index in range(count):
        mem[f.PREVIOUS + index, 0] = mem[f.MEMBER + index, 0]


@inlined
def _take_by_st_moe(mem, tables, predictor, number, layer, start, first_beat, last_beat, scanned, count):
    """Let one predictor of ST-MoE's predict and learn; return when it can take the next event's first beat."""
    target = layer + 1 if layer + 1 < mem[f.C_LAYERS] else 0
    wraps = tables.wraps[predictor]
    done = max(last_beat + 1, first_beat + HISTORY_LOADED)
    if mem[f.C_SELECTED] == predictor + 1 and (wraps or target != 0):
        if count:
            done = max(done, scanned + SCANNED)
        score_experts(mem, tables, predictor, layer, target, count)
        _predict(mem, tables, number, layer, 1, done)
    previous = mem[f.R_PREVIOUS_LAYER]
    follows = previous + 1 == layer or (layer == 0 and previous + 1 == mem[f.C_LAYERS])
    known = follows and not start and (wraps or layer != 0)
    learnt = learn(mem, tables, predictor, previous, mem[f.R_PREVIOUS_COUNT] if known else 0, count)
    return done + learnt + TABLES_FREE


@compiled
def _predict(mem, tables, number, layer, ahead, done):
    """Enter the prediction, complete in cycle `done`, that event `number` of `layer` makes of the event `ahead` on."""
    made = mem[f.R_PREDICTIONS]
    row = f.PREDICTION + made % f.PREDICTIONS
    count, ceiling = rank_experts(mem, tables, ranked_row(mem, made))
    mem[row, f.D_EVENT] = number
    mem[row, f.D_TARGET] = number + ahead
    mem[row, f.D_LAYER] = (layer + ahead) % mem[f.C_LAYERS]
    mem[row, f.D_READY] = done
    mem[row, f.D_START] = f.INF
    mem[row, f.D_CANCEL] = f.INF
    mem[row, f.D_COUNT] = count
    mem[row, f.D_CEILING] = ceiling
    mem[f.R_PREDICTIONS] = made + 1
    if not mem[f.C_HOLDS]:
        _start(mem, made, done)


@compiled
def _start(mem, prediction, cycle):
    mem[f.PREDICTION + prediction % f.PREDICTIONS, f.D_START] = cycle
    if prediction == mem[f.R_PREDICTION]:
        _begin_emission(mem, prediction)


@compiled
def _begin_emission(mem, prediction):
    """Let the prediction that is to be emitted next be ranked; its D_START is known."""
    if mem[f.C_SELECTED] == mem[f.C_WEIGHTS]:
        begin_selection(mem, prediction)
    else:
        begin_ranking(mem, prediction)


@compiled
def _cancel_emission(mem, cycle):
    """Let a new event's first beat, in `cycle`, end the emission of what is left of the last prediction."""
    last = mem[f.R_PREDICTIONS] - 1
    if last >= 0:
        row = f.PREDICTION + last % f.PREDICTIONS
        mem[row, f.D_CANCEL] = min(mem[row, f.D_CANCEL], cycle)


@compiled
def release_predictions(mem, ended, cycle):
    """Start the hold timer at the end of event `ended`, in `cycle`: it counts for every prediction not released yet."""
    if not mem[f.C_HOLDS]:
        return
    released = cycle + HELD + mem[f.C_HOLD_CYCLES]
    for prediction in range(mem[f.R_PREDICTION], mem[f.R_PREDICTIONS]):
        row = f.PREDICTION + prediction % f.PREDICTIONS
        if mem[row, f.D_EVENT] <= ended and mem[row, f.D_START] > cycle:
            _start(mem, prediction, max(mem[row, f.D_READY], released))


@inlined
def predicted_time(mem, cycle):
    """Return the first cycle from `cycle` on in which a predicted candidate is on offer; INF if none is known."""
    while mem[f.R_PREDICTION] < mem[f.R_PREDICTIONS]:
        row = f.PREDICTION + mem[f.R_PREDICTION] % f.PREDICTIONS
        offered = max(cycle, mem[f.R_OFFERED])
        if mem[row, f.D_START] < mem[row, f.D_CANCEL] and offered <= mem[row, f.D_CANCEL]:
            return offered
        if mem[row, f.D_CANCEL] >= cycle and (mem[row, f.D_START] == f.INF or mem[row, f.D_CANCEL] == f.INF):
            return f.INF
        mem[f.R_PREDICTION] += 1
        mem[f.R_OFFERED] = f.INF
        following = f.PREDICTION + mem[f.R_PREDICTION] % f.PREDICTIONS
        if mem[f.R_PREDICTION] < mem[f.R_PREDICTIONS] and mem[following, f.D_START] != f.INF:
            _begin_emission(mem, mem[f.R_PREDICTION])
    return f.INF


@inlined
def take_predicted(mem, cycle):
    """Take the candidate on offer; return its target event, layer, expert and score."""
    prediction = mem[f.R_PREDICTION]
    row, named = f.PREDICTION + prediction % f.PREDICTIONS, ranked_row(mem, prediction) + mem[f.R_RANK]
    expert, score = mem[named, f.Z_EXPERT], mem[named, f.Z_SCORE]
    if mem[f.C_SELECTED] == mem[f.C_WEIGHTS]:
        take_selected(mem, prediction, cycle)
    else:
        take_ranked(mem, prediction, cycle)
    return mem[row, f.D_TARGET], mem[row, f.D_LAYER], expert, score

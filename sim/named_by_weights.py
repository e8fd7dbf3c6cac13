"""What the weight tables name for every event of a trace: arrays, at the speed that whole traces need.

`predictors/weights.py` in compiled form: a test compares the two.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..hw.weight_rules import CENTRE, WeightRules
from ..traces.format import ABSENT
from .predictors.interface import MAX_SCORE
from .predictors.weights import initial_tables


class NamedExperts(NamedTuple):
    """The experts that a predictor ranks first for every event, [T, L, K] uint16, and their scores, uint8."""

    experts: NDArray[np.uint16]
    scores: NDArray[np.uint8]


def weights(
    experts: NDArray[np.uint16],
    sequence_start: NDArray[np.bool_],
    n_experts: int,
    rules: WeightRules,
    width: int,
    *,
    tables: NDArray[np.int8] | None = None,
) -> tuple[NamedExperts, NDArray[np.int8]]:
    """Name the `width` experts with the highest scores for every event of `experts` [T, L, K]; also the final tables.

    They are known once the event `rules.ahead` before has been routed; ties go to the lower id. `tables` are the
    initial weights, zeros without.
    """
    n_tokens, n_layers, _ = experts.shape
    learnt = initial_tables(n_layers, n_experts, rules, tables)
    named = NamedExperts(
        np.empty((n_tokens, n_layers, width), np.uint16), np.empty((n_tokens, n_layers, width), np.uint8)
    )
    layers_back = np.array([source[0] for source in rules.sources])
    own = np.array([source == rules.own for source in rules.sources])
    limits = np.array([rules.lowest, rules.highest, rules.margin, rules.offset, rules.score_shift])
    _run(experts, sequence_start, learnt, layers_back, own, rules.ahead, limits, named.experts, named.scores)
    return named, learnt


@njit(cache=True)
def _run(experts, sequence_start, tables, layers_back, own, ahead, limits, named, scores):
    n_tokens, n_layers, width = experts.shape
    n_sources, n_experts = tables.shape[1], tables.shape[2]
    # What was predicted at event n lies in place n modulo ahead + 1, until event n + ahead has learnt it.
    sums = np.full((ahead + 1, n_experts), limits[3], np.int32)
    context = np.full((ahead + 1, n_sources, width), ABSENT, np.uint16)
    is_valid = np.zeros(ahead + 1, np.bool_)
    latest = np.full((n_layers, width), ABSENT, np.uint16)
    for token in range(n_tokens):
        for layer in range(n_layers):
            event = token * n_layers + layer
            coming, past = event % (ahead + 1), (event + 1) % (ahead + 1)
            _name_highest(sums[past], limits[4], named[token, layer], scores[token, layer])
            if layer == 0 and sequence_start[token]:
                latest[:] = ABSENT
                is_valid[:] = False
            target = (layer + ahead) % n_layers
            for source in range(n_sources):
                origin = (target - layers_back[source]) % n_layers
                if own[source]:
                    context[coming, source] = experts[token, layer]
                elif origin == layer:
                    context[coming, source] = ABSENT
                else:
                    context[coming, source] = latest[origin]
            _add_up(tables[target], context[coming], limits[3], sums[coming])
            is_valid[coming] = True
            if is_valid[past]:
                _learn(tables[layer], context[past], experts[token, layer], sums[past], limits)
            latest[layer] = experts[token, layer]


@njit(cache=True)
def _add_up(table, context, offset, sums):
    sums[:] = offset
    for source in range(len(context)):
        for member in context[source]:
            if member != ABSENT:
                row = table[source, member]
                for expert in range(len(sums)):
                    sums[expert] += row[expert]


@njit(cache=True)
def _learn(table, context, actual, sums, limits):
    n_experts = len(sums)
    step = np.zeros(n_experts, np.int8)
    for expert in range(n_experts):
        step[expert] = -1 if sums[expert] >= -limits[2] else 0
    for member in actual:
        if member != ABSENT:
            step[member] = 1 if sums[member] < limits[2] else 0
    for source in range(len(context)):
        for member in context[source]:
            if member != ABSENT:
                row = table[source, member]
                for expert in range(n_experts):
                    row[expert] = min(max(row[expert] + step[expert], limits[0]), limits[1])


@njit(cache=True)
def _name_highest(sums, shift, named, scores):
    score = np.empty(len(sums), np.int32)
    for expert in range(len(sums)):
        score[expert] = min(max(CENTRE + (sums[expert] >> shift), 0), MAX_SCORE)
    for place in range(len(named)):
        best = 0
        for expert in range(1, len(score)):
            if score[expert] > score[best]:
                best = expert
        named[place] = best
        scores[place] = score[best]
        score[best] = -1


def ranked_recall(experts: NDArray[Any], named: NDArray[Any], budgets: tuple[int, ...]) -> tuple[float, ...]:
    """Return, for each budget, the share of `experts` [..., K] among the first so many of `named` [..., M]."""
    present = experts != ABSENT
    hits = np.zeros(named.shape[-1] + 1, np.int64)
    for place in range(named.shape[-1]):
        hits[place + 1] = (experts == named[..., place, None])[present].sum()
    found = hits.cumsum() / present.sum()
    return tuple(float(found[budget]) for budget in budgets)

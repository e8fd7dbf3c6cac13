"""What simple predictors name for every event of a trace: arrays, at the speed that whole traces need.

Each function returns [T, L, K] uint16: for layer l of token t the K experts that the predictor ranks first, known
once the event before (layer l-1; for layer 0 the last layer of the token before) has been routed; 0xFFFF where it
names none. `st_moe` is the golden predictor `predictors/st_moe.py` in compiled form: a test compares the two.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..traces.format import ABSENT
from .predictors.interface import MAX_SCORE
from .predictors.st_moe import HISTORY_SCORE, MAX_CONFIDENCE, PROFILED_CONFIDENCE
from .profile import Profile

SET_SCORE = 2
"""ST-MoE's set is the experts that score this."""


def previous_token(experts: NDArray[np.uint16], sequence_start: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Name what each layer selected for the token before in its sequence; `experts` is [T, L, K]."""
    named = np.full_like(experts, ABSENT)
    named[1:] = experts[:-1]
    named[sequence_start] = ABSENT
    return named


def static_hot_set(counts: NDArray[np.int64], n_tokens: int, width: int) -> NDArray[np.uint16]:
    """Name the `width` experts of each layer with the highest `counts` [L, E], ties to the lower id, at any token."""
    hottest = np.argsort(-counts, axis=1, kind="stable")[:, :width].astype(np.uint16)
    return np.broadcast_to(hottest, (n_tokens, *hottest.shape))


def cross_layer(
    experts: NDArray[np.uint16], profiled: NDArray[np.uint16], n_experts: int, width: int
) -> NDArray[np.uint16]:
    """Name the `width` experts e' of highest sum of P(e' | e) over the experts e that the layer before selected.

    P is counted once, on the tokens `profiled` [P, L, K]; ties go to the lower id. Layer 0 has no layer before.
    """
    n_layers = experts.shape[1]
    together = np.zeros((n_layers, n_experts, n_experts))
    _count_pairs(profiled, together)
    named = np.full((*experts.shape[:2], width), ABSENT, np.uint16)
    _name_likeliest(experts, together, named)
    return named


def st_moe(
    experts: NDArray[np.uint16], sequence_start: NDArray[np.bool_], profile: Profile, width: int
) -> NDArray[np.uint16]:
    """Name the `width` experts that ST-MoE's tables (CCT and HT, online, with wrap) score highest.

    `experts` [T, L, K] are the tokens to predict, which follow those of `profile`; ties, and places left over, go
    to the lower id. Source: arXiv 2606.15453, Algorithms 1-3, as fixed in `predictors/st_moe.py`.
    """
    return st_moe_sets(experts, sequence_start, profile, width)[0]


def st_moe_sets(
    experts: NDArray[np.uint16], sequence_start: NDArray[np.bool_], profile: Profile, width: int
) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Return what `st_moe` does, and [T, L] the size of the paper's set: the experts that score `SET_SCORE` or more."""
    rows = profile.rows.astype(np.int64)
    named = np.empty((*experts.shape[:2], width), np.uint16)
    sizes = np.zeros(experts.shape[:2], np.uint16)
    _st_moe(experts, sequence_start, rows, np.full(rows.shape, PROFILED_CONFIDENCE, np.int64), named, sizes)
    return named, sizes


def st_moe_cold(
    experts: NDArray[np.uint16], sequence_start: NDArray[np.bool_], n_experts: int, row_length: int, width: int
) -> NDArray[np.uint16]:
    """Return what `st_moe` does without a profile: rows of experts 0 to `row_length` - 1 at confidence 0."""
    shape = (experts.shape[1], n_experts, row_length)
    rows = np.broadcast_to(np.arange(row_length), shape).copy()
    named = np.empty((*experts.shape[:2], width), np.uint16)
    _st_moe(experts, sequence_start, rows, np.zeros(shape, np.int64), named, np.zeros(experts.shape[:2], np.uint16))
    return named


def is_among(experts: NDArray[Any], others: NDArray[Any]) -> NDArray[np.bool_]:
    """Return [..., K]: whether each of `experts` [..., K] is one of `others` [..., M], absent ones too."""
    found = np.zeros(experts.shape, bool)
    for index in range(others.shape[-1]):
        found |= experts == others[..., index, None]
    return found


@njit(cache=True)
def _count_pairs(experts, given):
    """Fill `given` [L, E, E]: the share of the tokens that select e in layer l that select e' in layer l+1."""
    n_tokens, n_layers, _ = experts.shape
    selected = np.zeros(given.shape[:2])
    for token in range(n_tokens):
        for layer in range(n_layers - 1):
            for expert in experts[token, layer]:
                if expert == ABSENT:
                    continue
                selected[layer, expert] += 1
                for other in experts[token, layer + 1]:
                    if other != ABSENT:
                        given[layer, expert, other] += 1
    for layer in range(n_layers):
        for expert in range(given.shape[1]):
            given[layer, expert] /= max(1.0, selected[layer, expert])


@njit(cache=True)
def _name_likeliest(experts, given, named):
    n_tokens, n_layers, _ = experts.shape
    score = np.zeros(given.shape[1])
    for token in range(n_tokens):
        for layer in range(1, n_layers):
            score[:] = 0
            for expert in experts[token, layer - 1]:
                if expert != ABSENT:
                    score += given[layer - 1, expert]
            _name_highest(score, named[token, layer])


@njit(cache=True)
def _st_moe(experts, sequence_start, rows, confidences, named, sizes):
    n_tokens, n_layers, width = experts.shape
    score = np.zeros(rows.shape[1], np.int64)
    history = np.full((n_layers, width), ABSENT, np.uint16)
    for token in range(n_tokens):
        for layer in range(n_layers):
            selected = experts[token, layer]
            for expert in range(len(score)):
                sizes[token, layer] += score[expert] >= SET_SCORE
            _name_highest(score, named[token, layer])
            if layer == 0 and sequence_start[token]:
                history[:] = ABSENT
            _score(selected, rows[layer], confidences[layer], history[(layer + 1) % n_layers], score)
            if layer > 0:
                _learn(experts[token, layer - 1], rows[layer - 1], confidences[layer - 1], selected)
            elif token > 0 and not sequence_start[token]:
                _learn(experts[token - 1, -1], rows[-1], confidences[-1], selected)
            history[layer] = selected


@njit(cache=True)
def _name_highest(score, named):
    """Fill `named` with the experts of the highest scores, and take these out of `score`."""
    for place in range(len(named)):
        best = 0
        for expert in range(1, len(score)):
            if score[expert] > score[best]:
                best = expert
        named[place] = best
        score[best] = -1


@njit(cache=True)
def _score(selected, rows, confidences, history, score):
    score[:] = 0
    for member in selected:
        if member != ABSENT:
            for place in range(rows.shape[1]):
                score[rows[member, place]] += confidences[member, place]
    for expert in history:
        if expert != ABSENT:
            score[expert] += HISTORY_SCORE
    for expert in range(len(score)):
        score[expert] = min(score[expert], MAX_SCORE)


@njit(cache=True)
def _learn(members, rows, confidences, actual):
    for member in members:
        if member == ABSENT:
            continue
        row, confidence = rows[member], confidences[member]
        for place in range(len(row)):
            if _holds(actual, row[place]):
                confidence[place] = min(confidence[place] + 1, MAX_CONFIDENCE)
            elif confidence[place] > 0:
                confidence[place] -= 1
            else:
                for newcomer in actual:
                    if newcomer != ABSENT and not _holds(row, newcomer):
                        row[place], confidence[place] = newcomer, PROFILED_CONFIDENCE
                        break


@njit(cache=True)
def _holds(experts, wanted):
    found = False
    for expert in experts:
        found |= expert == wanted
    return found

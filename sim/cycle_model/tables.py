"""What the model keeps beside `mem`: the trace, the predictors' tables, and what it finds."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Trace(NamedTuple):
    """A trace in columns. Event n has beats `first_beat[n]` to `first_beat[n + 1]`, hints likewise.

    `next_use[b]` is the next event that uses beat b's expert; empty where no policy asks for it.
    """

    layer: NDArray[np.uint8]
    step_first: NDArray[np.uint8]
    sequence_start: NDArray[np.uint8]
    first_beat: Ints
    expert: NDArray[np.uint16]
    token_last: NDArray[np.uint8]
    first_hint: Ints
    hint_layer: NDArray[np.uint8]
    hint_expert: NDArray[np.uint16]
    hint_score: NDArray[np.uint8]
    top_k: Ints
    next_use: Ints


class WeightTables(NamedTuple):
    """The state of predictor `weights`; `table`, `rows` and `sums` are kept only where it is selected.

    `table` is [layer, source x experts + expert, expert]. `latest` [layer, member] and `latest_count` say what each
    layer's latest event of this sequence selected. A prediction of event n lies in place n modulo `weight_ahead` + 1
    until it is learnt: of which `layer` (-1: of none), from how many rows, from which rows, every expert's sum;
    learning overwrites the sums.
    """

    layers_back: Ints
    table: NDArray[np.int8]
    latest: NDArray[np.uint16]
    latest_count: Ints
    layer: Ints
    row_count: Ints
    rows: NDArray[np.int32]
    sums: NDArray[np.int32]


class Tables(NamedTuple):
    """The predictors' state. `expert` and `confidence` are [predictor, layer, expert, entry]."""

    wraps: NDArray[np.uint8]
    expert: NDArray[np.uint16]
    confidence: NDArray[np.uint8]
    history: NDArray[np.uint8]
    history_valid: NDArray[np.uint8]
    in_event: NDArray[np.uint8]
    score: Ints
    weights: WeightTables


class Store(NamedTuple):
    """What is found for each use, step or record; `log`, N_COLUMNS wide, has no rows unless logging is on."""

    slack: Ints
    step_end: Ints
    log: Ints

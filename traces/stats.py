"""Statistics of a trace: its size, its locality, how predictable its layers are, and each layer's load."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from .format import ABSENT, DECODE, Trace, TraceMeta
from .overlap import RowCarry, previous_token_overlap
from .reader import TraceFile

_CHUNK_ROWS = 8192
"""Rows worked on at a time: bounds the intermediate arrays to tens of megabytes."""


@dataclass(frozen=True)
class LayerLoad:
    """How evenly one MoE layer uses its experts over the measured rows.

    `max_over_mean` is the load of the busiest expert over the mean load, 1..n_experts; `entropy` is the
    load's entropy over that of an even load, 0..1; `unused` counts experts never selected.
    """

    layer: int
    max_over_mean: float
    entropy: float
    unused: int


@dataclass(frozen=True)
class TraceStats:
    """The statistics; shares and recalls in 0..1, None where the trace has no rows that could tell.

    `tokens` counts all rows, `measured` those that the figures are over: the decode rows, or all rows if none
    is a decode row. `overlap` is the mean share of a token's experts that the previous token of its sequence
    also selected in the same layer. `cross_layer_recall` is the share of layer l+1's experts among the k of
    highest sum of P(e'|e) over the experts e of layer l, P counted on the first half of the measured rows,
    scored on the second, ties to the lower id. `hint_recall` is the share of a layer's experts among its
    hints.
    """

    tokens: int
    measured: int
    sequences: int
    layers: int
    experts: int
    top_k: int
    overlap: float | None
    cross_layer_recall: float | None
    hint_recall: float | None
    load: tuple[LayerLoad, ...]


def file_stats(path: str | PathLike[str], on_rows: Callable[[int, int], None] | None = None) -> TraceStats:
    """Statistics of a trace file, read batch by batch; `on_rows(done, total)` is told the progress."""
    file = TraceFile(path)
    n_decode = int((file.phases() == DECODE).sum())
    measured = n_decode or file.n_rows
    phase = DECODE if n_decode else None
    return _accumulate(file.meta, file.batches(phase=phase), file.n_rows, measured, on_rows)


def trace_stats(trace: Trace) -> TraceStats:
    """Statistics of a trace in memory."""
    rows = trace.decode_rows()
    rows = rows if len(rows) else trace
    return _accumulate(trace.meta, [rows], len(trace), len(rows), None)


def _accumulate(
    meta: TraceMeta,
    batches: Iterable[Trace],
    tokens: int,
    measured: int,
    on_rows: Callable[[int, int], None] | None,
) -> TraceStats:
    sums = _Sums(meta, measured // 2)
    done = 0
    for batch in batches:
        for first in range(0, len(batch), _CHUNK_ROWS):
            chunk = batch.select(slice(first, first + _CHUNK_ROWS))
            sums.update(chunk)
            done += len(chunk)
            if on_rows is not None:
                on_rows(done, measured)
    return TraceStats(
        tokens=tokens,
        measured=measured,
        sequences=sums.sequences,
        layers=meta.n_layers,
        experts=meta.n_experts,
        top_k=meta.top_k,
        overlap=sums.overlap.mean(),
        cross_layer_recall=sums.cross.mean(),
        hint_recall=sums.hint.mean(),
        load=tuple(_layer_load(layer, load) for layer, load in zip(meta.layers, sums.load, strict=True)),
    )


class _Mean:
    """Mean of the finite values seen so far."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, values: NDArray[np.float64]) -> None:
        self._sum += float(np.nansum(values))
        self._count += int((~np.isnan(values)).sum())

    def mean(self) -> float | None:
        return self._sum / self._count if self._count else None


class _Sums:
    """Everything that one pass over the measured rows adds up; the first `split` rows train the recall."""

    def __init__(self, meta: TraceMeta, split: int) -> None:
        self.meta = meta
        self.overlap, self.cross, self.hint = _Mean(), _Mean(), _Mean()
        self.load = np.zeros((meta.n_layers, meta.n_experts), np.int64)
        self.sequences = 0
        self._width = meta.n_experts + 1
        self._together = np.zeros((meta.n_layers - 1, self._width, self._width), np.int64)
        self._selected = np.zeros((meta.n_layers - 1, self._width), np.int64)
        self._to_train = split
        self._carry = RowCarry()

    def update(self, chunk: Trace) -> None:
        joined = self._carry.join(chunk)
        self.overlap.add(previous_token_overlap(joined))
        starts = joined.sequence_starts()
        self.sequences += int(starts[len(joined) - len(chunk) :].sum())
        if chunk.hints is not None:
            self.hint.add(_share_in(chunk.experts, chunk.hints))
        n_train = min(self._to_train, len(chunk))
        self._to_train -= n_train
        ids = np.minimum(chunk.experts, self.meta.n_experts).astype(np.int64)  # absent: one column behind the rest
        for layer in range(self.meta.n_layers):
            load = np.bincount(ids[:, layer].reshape(-1), minlength=self._width)
            self.load[layer] += load[:-1]
            if layer > 0:
                self._train(layer - 1, ids[:n_train, layer - 1], ids[:n_train, layer])
                self._score(layer - 1, ids[n_train:, layer - 1], ids[n_train:, layer])

    def _train(self, pair: int, source: NDArray[np.int64], target: NDArray[np.int64]) -> None:
        width = self._width
        pairs = source[:, :, None] * width + target[:, None, :]
        self._together[pair] += np.bincount(pairs.reshape(-1), minlength=width**2).reshape(width, width)
        self._selected[pair] += np.bincount(source.reshape(-1), minlength=width)

    def _score(self, pair: int, source: NDArray[np.int64], target: NDArray[np.int64]) -> None:
        absent = self.meta.n_experts
        given = self._together[pair, :, :absent] / np.maximum(self._selected[pair], 1)[:, None]
        given[absent] = 0
        scores = np.zeros((len(source), absent))
        for experts in source.T:
            scores += given[experts]  # a matrix product is slower here: many small ones, each spinning threads
        first = np.zeros((len(target), self._width), bool)
        first[:, :absent] = _first_k(scores, self.meta.top_k)
        found = np.take_along_axis(first, target, 1).sum(1)
        size = (target < absent).sum(1)
        known = (size > 0) & (source < absent).any(1)
        self.cross.add(np.where(known, found / np.maximum(size, 1), np.nan))


def _first_k(scores: NDArray[np.float64], k: int) -> NDArray[np.bool_]:
    """[T, E]: whether the score is among its row's k highest, ties to the lower column."""
    place = scores.shape[1] - k
    last = np.partition(scores, place, axis=1)[:, place, None]
    above, tied = scores > last, scores == last
    room = k - above.sum(1, keepdims=True)
    return above | (tied & (tied.cumsum(1) <= room))


def _share_in(experts: NDArray[np.uint16], hints: NDArray[np.uint16]) -> NDArray[np.float64]:
    """[T, L]: share of the experts that the hints name; NaN without experts or without hints."""
    present = experts != ABSENT
    named = sum((experts == hints[:, :, i, None]) & present for i in range(hints.shape[2]))
    size = present.sum(2)
    known = (size > 0) & (hints != ABSENT).any(2)
    return np.where(known, (np.asarray(named) > 0).sum(2) / np.maximum(size, 1), np.nan)


def _layer_load(layer: int, load: NDArray[np.int64]) -> LayerLoad:
    share = load / max(1, load.sum())
    used = share[share > 0]
    even = np.log(len(load)) or 1.0
    return LayerLoad(
        layer=layer,
        max_over_mean=float(share.max() * len(load)),
        entropy=float(-(used * np.log(used)).sum() / even),
        unused=int((load == 0).sum()),
    )

"""llama.cpp `examples/moe-trace`: CSV `layer,expert`, a row per selected expert and no column for the token.

The rows follow the computation: layer by layer, and in a layer token by token, k rows each. Consecutive rows of a
layer are a run; a run of k rows is one token, so k is the shortest run unless stated (every recording that decodes
has one). A forward pass ends where the layer does not grow. A pass of many tokens is taken for prompt, one of a
single token for decode. In a prompt's last layer only the last token may be computed: the others' experts are
absent there. A file is one sequence: the format marks none.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from ..errors import UserError
from ..format import ABSENT, DECODE, PREFILL
from .base import CHUNK_TOKENS, Importer, ImportOptions, RawTrace
from .source import Source
from .source_file import SourceFile

_START = re.compile(rb"(layer,expert\r?\n)?\d+,\d+\r?\n\d+,\d+\r?\n")

_Run = tuple[int, NDArray[np.int64]]


def _recognises(file: SourceFile) -> bool:
    return _START.match(file.head()) is not None


def _read(source: Source, options: ImportOptions) -> Iterator[RawTrace]:
    for sequence, file in enumerate(IMPORTER.each(source)):
        layers, top_k = _geometry(file, options)
        parts: list[NDArray[np.int64]] = []
        position = 0
        for one in _passes(file):
            parts.append(_tokens(file, one, layers, top_k))
            if sum(map(len, parts)) >= CHUNK_TOKENS:
                yield (part := _part(sequence, position, parts, layers))
                position += len(part.experts)
                parts = []
        if parts:
            yield _part(sequence, position, parts, layers)


def _geometry(file: SourceFile, options: ImportOptions) -> tuple[tuple[int, ...], int]:
    layers, shortest = set(), 0
    for layer, ids in _runs(file):
        layers.add(layer)
        shortest = min(shortest, len(ids)) if shortest else len(ids)
    if not layers:
        raise UserError(f"{file}: no rows: must hold one for each selected expert")
    return tuple(sorted(layers)), options.top_k or shortest


def _runs(file: SourceFile) -> Iterator[_Run]:
    """Consecutive rows of one layer."""
    layer, waiting = -1, []
    for number, block in file.line_blocks():
        layers, experts = _columns(file, number, block.removeprefix(b"layer,expert\n") if number == 1 else block)
        edges = [0, *(np.flatnonzero(np.diff(layers)) + 1).tolist(), len(layers)]
        for first, end in pairwise(edges):
            if first == end:
                continue
            if waiting and int(layers[first]) != layer:
                yield layer, np.concatenate(waiting)
                waiting = []
            layer = int(layers[first])
            waiting.append(experts[first:end])
    if waiting:
        yield layer, np.concatenate(waiting)


def _columns(file: SourceFile, number: int, block: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if not block:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    names = ["layer", "expert"]
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(block),
            read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False),
            convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.int64()), null_values=[]),
        )
    except pa.ArrowInvalid as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file}: from line {number} on: {reason}: must be 2 numbers a line") from error
    layer, expert = (table.column(name).to_numpy() for name in names)
    if len(layer) and (layer.min() < 0 or layer.max() >= 1 << 16):
        raise UserError(f"{file}: from line {number} on: layer {layer.min()}..{layer.max()}: must be 0..65535")
    return layer, expert


def _passes(file: SourceFile) -> Iterator[list[_Run]]:
    one: list[_Run] = []
    for run in _runs(file):
        if one and run[0] <= one[-1][0]:
            yield one
            one = []
        one.append(run)
    if one:
        yield one


def _tokens(file: SourceFile, one: list[_Run], layers: tuple[int, ...], top_k: int) -> NDArray[np.int64]:
    """The experts [T, L, K] of a forward pass."""
    lengths = {layer: len(ids) for layer, ids in one}
    if any(length % top_k for length in lengths.values()):
        raise UserError(f"{file}: runs of {sorted(set(lengths.values()))} rows: must be multiples of top-k {top_k}")
    n = max(lengths.values()) // top_k
    experts = np.full((n, len(layers), top_k), ABSENT, np.int64)
    for layer, ids in one:
        if len(ids) < n * top_k and layer != layers[-1]:
            raise UserError(f"{file}: layer {layer}: {len(ids)} rows: must be {n * top_k} as in its pass (truncated?)")
        experts[n - len(ids) // top_k :, layers.index(layer)] = ids.reshape(-1, top_k)
    missing = set(layers) - lengths.keys()
    if missing:
        raise UserError(f"{file}: a pass without layer {min(missing)}: must have all layers (truncated?)")
    return experts


def _part(sequence: int, position: int, parts: list[NDArray[np.int64]], layers: tuple[int, ...]) -> RawTrace:
    sizes = list(map(len, parts))
    return RawTrace(
        sequence=np.full(sum(sizes), sequence),
        position=position + np.arange(sum(sizes)),
        experts=np.concatenate(parts),
        phase=np.repeat([DECODE if size == 1 else PREFILL for size in sizes], sizes),
        layers=layers,
    )


IMPORTER = Importer(
    "llama-moe-trace",
    "CSV layer,expert of llama.cpp's moe-trace",
    (".csv",),
    _recognises,
    _read,
    fixture="written by the test as the pull request describes it",
    source="ggml-org/llama.cpp, pull request 28544",
    passes=2,
)

"""colibri `ROUTE_TRACE`: text, a line per token and layer: `<call> <row> <layer> <expert>:<gate> ..`.

`call` counts the calls of an MoE layer; a forward pass is the calls up to the one whose layer is not above the
one before. `row` is the token's place in the pass. A pass of many tokens is taken for prompt, one of a single
token for decode (a prompt's last piece of one token is not told from it). A file is one sequence: the format
marks none. A pass holds every layer for each of its rows; only the highest layer may be missing (a head that
predicts further tokens does not run in each pass). Experts that a token lacks (a smaller top-k) are absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..errors import UserError
from ..format import ABSENT, DECODE, PREFILL
from .base import CHUNK_TOKENS, Importer, ImportOptions, RawTrace
from .source import Source
from .source_file import SourceFile

_LINE = re.compile(rb"\d+ \d+ \d+( \d+:-?[0-9.eE+-]+)+\Z")


@dataclass
class _Pass:
    """One forward pass: (row, layer) -> (ids, gates)."""

    cells: dict[tuple[int, int], tuple[list[int], list[float]]] = field(default_factory=dict)
    last_layer: int = -1
    n_tokens: int = 0


def _recognises(file: SourceFile) -> bool:
    head = file.head()
    first, end, _ = head.partition(b"\n")
    return bool(end) and _LINE.match(first.rstrip(b"\r")) is not None


def _read(source: Source, options: ImportOptions) -> Iterator[RawTrace]:
    for sequence, file in enumerate(IMPORTER.each(source)):
        layers, top_k = _geometry(file)
        waiting: list[_Pass] = []
        position = lacking = 0
        one = None
        for one in _passes(file):
            lacking += _lacks_highest(file, one, layers)
            waiting.append(one)
            if sum(p.n_tokens for p in waiting) >= CHUNK_TOKENS:
                yield (part := _part(sequence, position, waiting, layers, top_k))
                position += len(part.experts)
                waiting = []
        if lacking == 1 and one is not None and _lacks_highest(file, one, layers):
            raise UserError(f"{file}: the last pass ends before layer {layers[-1]}: the file is truncated")
        if waiting:
            yield _part(sequence, position, waiting, layers, top_k)


def _geometry(file: SourceFile) -> tuple[tuple[int, ...], int]:
    layers, top_k = set(), 0
    for _, _, layer, ids, _ in _lines(file):
        layers.add(layer)
        top_k = max(top_k, len(ids))
    if not layers:
        raise UserError(f"{file}: no lines: must hold one for each token and layer")
    return tuple(sorted(layers)), top_k


def _lines(file: SourceFile) -> Iterator[tuple[int, int, int, list[int], list[float]]]:
    for number, line in file.lines():
        if _LINE.match(line) is None:
            rule = "must be '<call> <row> <layer> <expert>:<gate> ..'"
            raise UserError(f"{file}: line {number}: {line[:40].decode(errors='replace')}: {rule}")
        call, row, layer, *pairs = line.split(b" ")
        split = [pair.split(b":") for pair in pairs]
        try:
            yield int(call), int(row), int(layer), [int(e) for e, _ in split], [float(g) for _, g in split]
        except ValueError as error:
            raise UserError(f"{file}: line {number}: {error}: must be numbers") from error


def _passes(file: SourceFile) -> Iterator[_Pass]:
    one, before = _Pass(), None
    for call, row, layer, ids, gates in _lines(file):
        if before is not None and call != before[0] and layer <= before[1]:
            yield one
            one = _Pass()
        if (row, layer) in one.cells or (before is not None and call < before[0]):
            raise UserError(f"{file}: call {call}, row {row}, layer {layer}: comes out of order: must come once")
        before = (call, layer)
        one.cells[row, layer] = (ids, gates)
        one.n_tokens = max(one.n_tokens, row + 1)
        if one.n_tokens > 1 << 20:
            raise UserError(f"{file}: call {call}: row {row}: must be below {1 << 20}")
    if one.cells:
        yield one


def _lacks_highest(file: SourceFile, one: _Pass, layers: tuple[int, ...]) -> bool:
    """Whether a pass is without the highest layer in some row; UserError if it is without another one."""
    for row in range(one.n_tokens):
        for layer in layers[:-1]:
            if (row, layer) not in one.cells:
                found = f"a pass of {one.n_tokens} rows without layer {layer} in row {row}"
                raise UserError(f"{file}: {found}: must have every layer but the highest (truncated?)")
    return any((row, layers[-1]) not in one.cells for row in range(one.n_tokens))


def _part(sequence: int, position: int, passes: list[_Pass], layers: tuple[int, ...], top_k: int) -> RawTrace:
    n = sum(p.n_tokens for p in passes)
    experts = np.full((n, len(layers), top_k), ABSENT, np.int64)
    scores = np.zeros(experts.shape)
    index = {layer: i for i, layer in enumerate(layers)}
    first = 0
    for one in passes:
        for (row, layer), (ids, gates) in one.cells.items():
            experts[first + row, index[layer], : len(ids)] = ids
            scores[first + row, index[layer], : len(gates)] = gates
        first += one.n_tokens
    sizes = [p.n_tokens for p in passes]
    return RawTrace(
        sequence=np.full(n, sequence),
        position=position + np.arange(n),
        experts=experts,
        scores=scores,
        phase=np.repeat([DECODE if size == 1 else PREFILL for size in sizes], sizes),
        layers=layers,
    )


IMPORTER = Importer(
    "colibri",
    "text of colibri's ROUTE_TRACE",
    (".txt", ".log", ".trace"),
    _recognises,
    _read,
    fixture="written by the test as the program's fprintf lays it out",
    source="JustVugg/colibri, the C header of its route trace (rt_trace)",
    passes=2,
)

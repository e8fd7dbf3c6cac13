"""BigMoeOnEdge route trace v1: CSV with a row per selected expert.

Lines that start with `#` state the model; the columns are
`turn,phase,step,layer,slot,expert,weight,residency,expert_bytes`; phase 0 is the prompt, 1 decode. A prompt
is stored layer by layer, and its last layer only for the last token, the one that needs an output; for the
other tokens that layer is absent. A turn becomes a sequence, a step a position.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from ..errors import UserError
from ..format import ABSENT, DECODE
from .base import Importer, ImportOptions, RawTrace
from .source import Source
from .source_file import SourceFile

_MAGIC = b"# route_trace v1"
_COLUMNS = ("turn", "phase", "step", "layer", "slot", "expert", "weight", "residency", "expert_bytes")
_TYPES = {name: pa.float64() if name == "weight" else pa.int64() for name in _COLUMNS}
_MODEL = re.compile(r"# model=(.*) arch=(\S+) n_layer=(\d+) n_expert=(\d+) n_expert_used=(\d+)")
_BYTES = re.compile(r"# layer=(\d+) expert_bytes=(\d+)")

_Table = dict[str, NDArray]


@dataclass(frozen=True)
class _Header:
    model: str
    arch: str
    n_experts: int
    top_k: int
    expert_bytes: dict[int, int]
    n_lines: int


def _recognises(file: SourceFile) -> bool:
    return file.head().startswith(_MAGIC)


def _read(source: Source, options: ImportOptions) -> Iterator[RawTrace]:
    first = 0
    for file in IMPORTER.each(source):
        header = _header(file)
        layers = _layers(file, header)
        last = first
        for line, table in _pieces(file, header):
            part = _part(file, header, layers, line, table)
            part.sequence = part.sequence + first
            last = int(part.sequence.max())
            yield part
        first = last + 1


def _header(file: SourceFile) -> _Header:
    comments: list[str] = []
    names = b""
    for _, line in file.lines():
        if not line.startswith(b"#"):
            names = line
            break
        comments.append(line.decode("utf-8", errors="replace"))
    found = next((m for m in map(_MODEL.match, comments) if m), None)
    if not comments or not comments[0].startswith(_MAGIC.decode()) or found is None:
        fields = "# model=.. arch=.. n_layer=.. n_expert=.. n_expert_used=.."
        raise UserError(f"{file}: header: must start with '{_MAGIC.decode()}' and '{fields}'")
    if names.split(b",") != [name.encode() for name in _COLUMNS]:
        raise UserError(f"{file}: line {len(comments) + 1}: must be the column names {','.join(_COLUMNS)}")
    sizes = (m for m in map(_BYTES.match, comments) if m)
    return _Header(
        model=PurePosixPath(PureWindowsPath(found[1]).as_posix()).name.removesuffix(".gguf"),
        arch=found[2],
        n_experts=int(found[4]),
        top_k=int(found[5]),
        expert_bytes={int(m[1]): int(m[2]) for m in sizes},
        n_lines=len(comments) + 1,
    )


def _tables(file: SourceFile, header: _Header) -> Iterator[tuple[int, _Table]]:
    """The rows in blocks, each with the number of its first line, checked against the header."""
    for number, block in file.line_blocks():
        if number == 1:
            block = block.split(b"\n", header.n_lines)[-1]
            number += header.n_lines
        if block:
            table = _table(file, block, number)
            _check_ranges(file, table, header, number)
            yield number, table


def _layers(file: SourceFile, header: _Header) -> NDArray[np.int64]:
    """The numbers of the MoE layers: those with expert bytes in the header, and those that have rows."""
    layers = np.array([n for n, size in header.expert_bytes.items() if size], np.int64)
    is_empty = True
    for _, table in _tables(file, header):
        layers = np.union1d(layers, table["layer"])
        is_empty = False
    if is_empty:
        raise UserError(f"{file}: no rows after the header: the file is truncated")
    return layers.astype(np.int64)


def _pieces(file: SourceFile, header: _Header) -> Iterator[tuple[int, _Table]]:
    """The rows in pieces of whole tokens: cut before a decoded token, since a prompt is stored layer by layer."""
    line, waiting = 0, {name: np.zeros(0) for name in _COLUMNS}
    for number, table in _tables(file, header):
        line = line if len(waiting["turn"]) else number
        waiting = {name: np.concatenate([waiting[name], table[name]]).astype(table[name].dtype) for name in _COLUMNS}
        key = _key(waiting)
        cut = int(np.flatnonzero(key != key[-1])[-1]) + 1 if (key != key[-1]).any() else 0
        if cut and waiting["phase"][-1] == DECODE:
            yield line, {name: values[:cut] for name, values in waiting.items()}
            line, waiting = line + cut, {name: values[cut:] for name, values in waiting.items()}
    yield line, waiting


def _key(table: _Table) -> NDArray[np.int64]:
    return (table["turn"] << 32) | table["step"]


def _part(file: SourceFile, header: _Header, layers: NDArray[np.int64], line: int, table: _Table) -> RawTrace:
    tokens, first, row = np.unique(_key(table), return_index=True, return_inverse=True)
    layer = np.searchsorted(layers, table["layer"])
    _check_unique(file, table, (row * len(layers) + layer) * header.top_k + table["slot"], line)
    experts = np.full((len(tokens), len(layers), header.top_k), ABSENT, np.int64)
    scores = np.zeros(experts.shape, np.float64)
    experts[row, layer, table["slot"]] = table["expert"]
    scores[row, layer, table["slot"]] = table["weight"]
    raw = RawTrace(
        sequence=tokens >> 32,
        position=tokens & 0xFFFFFFFF,
        experts=experts,
        scores=scores,
        phase=table["phase"][first],
        layers=tuple(layers.tolist()),
        n_experts=header.n_experts,
        model=header.model,
    )
    raw.provenance = {"arch": header.arch, "expert_bytes": [header.expert_bytes.get(n) for n in raw.layers or ()]}
    _check_complete(file, raw)
    return raw


def _table(file: SourceFile, block: bytes, number: int) -> _Table:
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(block),
            read_options=pyarrow.csv.ReadOptions(column_names=list(_COLUMNS), use_threads=False),
            convert_options=pyarrow.csv.ConvertOptions(column_types=_TYPES, null_values=[]),
        )
    except pa.ArrowInvalid as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file}: from line {number} on: {reason}: must be 9 numbers a line") from error
    return {name: table.column(name).to_numpy() for name in _COLUMNS}


def _check_ranges(file: SourceFile, table: _Table, header: _Header, number: int) -> None:
    limits = {
        "turn": 1 << 31,
        "phase": 2,
        "step": 1 << 31,
        "layer": 1 << 16,
        "slot": header.top_k,
        "expert": header.n_experts,
    }
    for name, limit in limits.items():
        wrong = np.flatnonzero((table[name] < 0) | (table[name] >= limit))
        if len(wrong):
            line = number + int(wrong[0])
            raise UserError(f"{file}: line {line}: {name} {table[name][wrong[0]]}: must be 0..{limit - 1}")


def _check_unique(file: SourceFile, table: _Table, place: NDArray, number: int) -> None:
    _, first = np.unique(place, return_index=True)
    if len(first) < len(place):
        index = int(np.setdiff1d(np.arange(len(place)), first)[0])
        where = ", ".join(f"{n} {table[n][index]}" for n in ("turn", "step", "layer", "slot"))
        raise UserError(f"{file}: line {number + index}: {where} comes a second time: must come once")


def _check_complete(file: SourceFile, raw: RawTrace) -> None:
    """Each layer of a token is whole; only prompt tokens before a turn's last may lack one, the last layer."""
    assert raw.phase is not None and raw.layers is not None
    filled = (raw.experts != ABSENT).sum(2)
    whole = filled == raw.experts.shape[2]
    prompt = raw.phase != DECODE
    needs_output = np.append(~prompt[1:] | (raw.sequence[1:] != raw.sequence[:-1]), True)
    whole[:, -1] |= prompt & ~needs_output & (filled[:, -1] == 0)
    for row, layer in np.argwhere(~whole)[:1]:
        where = f"turn {raw.sequence[row]}, step {raw.position[row]}, layer {raw.layers[layer]}"
        found = f"{filled[row, layer]} of {raw.experts.shape[2]} experts"
        raise UserError(f"{file}: {where}: {found}: must have them all (truncated?)")


IMPORTER = Importer(
    "bigmoe",
    "BigMoeOnEdge route trace v1, CSV",
    (".csv",),
    _recognises,
    _read,
    fixture="published files",
    source="Helldez/BigMoeOnEdge @2d4f2b11",
    passes=2,
)

"""BigMoeOnEdge route trace v1: CSV with a row per selected expert.

Lines that start with `#` state the model; the columns are
`turn,phase,step,layer,slot,expert,weight,residency,expert_bytes`; phase 0 is the prompt, 1 decode. A prompt
is stored layer by layer, and its last layer only for the last token, the one that needs an output; for the
other tokens that layer is absent. A turn becomes a sequence, a step a position.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from ..errors import UserError
from ..format import ABSENT, DECODE, Trace
from .base import Importer, ImportOptions, RawTrace, head, read_whole_lines

_MAGIC = b"# route_trace v1"
_COLUMNS = ("turn", "phase", "step", "layer", "slot", "expert", "weight", "residency", "expert_bytes")
_MODEL = re.compile(r"# model=(.*) arch=(\S+) n_layer=(\d+) n_expert=(\d+) n_expert_used=(\d+)")
_BYTES = re.compile(r"# layer=(\d+) expert_bytes=(\d+)")


@dataclass(frozen=True)
class _Header:
    model: str
    arch: str
    n_experts: int
    top_k: int
    expert_bytes: dict[int, int]
    n_lines: int


def _recognises(path: Path) -> bool:
    return head(path).startswith(_MAGIC)


def _read(path: Path, options: ImportOptions) -> Trace:
    lines = read_whole_lines(path)
    header = _header(path, lines)
    table = _table(path, lines[header.n_lines :], header.n_lines)
    _check_ranges(path, table, header)
    key = (table["turn"] << 32) | table["step"]
    tokens, first, row = np.unique(key, return_index=True, return_inverse=True)
    phase = table["phase"][first]
    layers = np.union1d(table["layer"], [n for n, size in header.expert_bytes.items() if size]).astype(np.int64)
    layer = np.searchsorted(layers, table["layer"])
    _check_unique(path, table, (row * len(layers) + layer) * header.top_k + table["slot"], header)
    experts = np.full((len(tokens), len(layers), header.top_k), ABSENT, np.int64)
    scores = np.zeros(experts.shape, np.float64)
    experts[row, layer, table["slot"]] = table["expert"]
    scores[row, layer, table["slot"]] = table["weight"]
    raw = RawTrace(
        sequence=tokens >> 32,
        position=tokens & 0xFFFFFFFF,
        experts=experts,
        scores=scores,
        phase=phase,
        layers=tuple(layers.tolist()),
        n_experts=header.n_experts,
        model=header.model,
        provenance={
            "arch": header.arch,
            "expert_bytes": [header.expert_bytes.get(n) for n in layers.tolist()],
        },
    )
    _check_complete(path, raw)
    return raw.build(path, [path], IMPORTER.name, options)


def _header(path: Path, lines: list[str]) -> _Header:
    comments = []
    for line in lines:
        if not line.startswith("#"):
            break
        comments.append(line)
    found = next((m for m in map(_MODEL.match, comments) if m), None)
    if not comments or not comments[0].startswith(_MAGIC.decode()) or found is None:
        fields = "# model=.. arch=.. n_layer=.. n_expert=.. n_expert_used=.."
        raise UserError(f"{path}: header: must start with '{_MAGIC.decode()}' and '{fields}'")
    if len(lines) <= len(comments) or lines[len(comments)].split(",") != list(_COLUMNS):
        raise UserError(f"{path}: line {len(comments) + 1}: must be the column names {','.join(_COLUMNS)}")
    sizes = (m for m in map(_BYTES.match, comments) if m)
    return _Header(
        model=PurePosixPath(PureWindowsPath(found[1]).as_posix()).name.removesuffix(".gguf"),
        arch=found[2],
        n_experts=int(found[4]),
        top_k=int(found[5]),
        expert_bytes={int(m[1]): int(m[2]) for m in sizes},
        n_lines=len(comments) + 1,
    )


def _table(path: Path, lines: list[str], n_header: int) -> dict[str, NDArray]:
    if not lines:
        raise UserError(f"{path}: no rows after the header: the file is truncated")
    types = {name: pa.float64() if name == "weight" else pa.int64() for name in _COLUMNS}
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO("\n".join(lines).encode()),
            read_options=pyarrow.csv.ReadOptions(column_names=list(_COLUMNS), use_threads=False),
            convert_options=pyarrow.csv.ConvertOptions(column_types=types, null_values=[]),
        )
    except pa.ArrowInvalid as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: after {n_header} header lines: {reason}: must be 9 numbers a line") from error
    return {name: table.column(name).to_numpy() for name in _COLUMNS}


def _check_ranges(path: Path, table: dict[str, NDArray], header: _Header) -> None:
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
            line = header.n_lines + int(wrong[0]) + 1
            raise UserError(f"{path}: line {line}: {name} {table[name][wrong[0]]}: must be 0..{limit - 1}")


def _check_unique(path: Path, table: dict[str, NDArray], place: NDArray, header: _Header) -> None:
    _, first = np.unique(place, return_index=True)
    if len(first) < len(place):
        index = int(np.setdiff1d(np.arange(len(place)), first)[0])
        where = ", ".join(f"{n} {table[n][index]}" for n in ("turn", "step", "layer", "slot"))
        raise UserError(f"{path}: line {header.n_lines + index + 1}: {where} comes a second time: must come once")


def _check_complete(path: Path, raw: RawTrace) -> None:
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
        raise UserError(f"{path}: {where}: {found}: must have them all (truncated?)")


IMPORTER = Importer("bigmoe", "BigMoeOnEdge route trace v1, CSV", _recognises, _read)

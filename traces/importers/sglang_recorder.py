"""SGLang's expert distribution recorder, mode `per_token`: a `torch.save` file of forward passes.

    {"records": [{"forward_pass_id", "rank", "input_ids", "positions", "extend_seq_lens", "forward_mode",
    "topk_ids_of_layer": int32 [L, T, k'], ..}], "last_physical_to_logical_map": [L, P]}

The ids are physical experts and are mapped to logical ones. Unused places hold -1: dense layers, and the columns
beyond the model's own k. A pass holds the tokens of many requests and names none. In a prompt (`extend_seq_lens`)
each length is a request, a new one unless it continues the last request of the pass before at its next position
(a chunked prompt). In decode each token continues the first request, in their order, that waits for its position;
requests that get no token have ended, and are written then, numbered in the order of their first tokens. Two
requests of the same length, one of which ends, can be taken for each other. Of several files, one that repeats
another's passes (a tensor-parallel rank) is left out, and counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..format import ABSENT, DECODE, PREFILL
from .base import Importer, ImportOptions, RawTrace
from .source import Source
from .source_file import SourceFile
from .torch_file import StoredTensor, is_torch_file, load_torch_file

EXTEND, DECODE_MODE, IDLE = 1, 2, 4
"""Of SGLang's ForwardMode."""
_FIELDS = ("input_ids", "positions", "topk_ids_of_layer")


@dataclass
class _Rows:
    """Tokens of a pass: ids of the vocabulary, positions, experts [T, L, K]."""

    token: NDArray[np.int64]
    position: NDArray[np.int64]
    experts: NDArray[np.int64]

    def part(self, rows: slice) -> _Rows:
        return _Rows(self.token[rows], self.position[rows], self.experts[rows])


@dataclass
class _Request:
    """A request that may go on; `number` counts requests in the order of their first tokens."""

    number: int
    next_position: int
    parts: list[tuple[_Rows, int]] = field(default_factory=list)

    def add(self, rows: _Rows, phase: int) -> None:
        self.parts.append((rows, phase))
        self.next_position = int(rows.position[-1]) + 1


def _recognises(file: SourceFile) -> bool:
    try:
        with file.seekable() as stream:
            saved = load_torch_file(file, stream) if is_torch_file(stream) else None
            return isinstance(saved, dict) and "records" in saved
    except UserError:
        return False


def _read(source: Source, options: ImportOptions) -> Iterator[RawTrace]:
    seen: set[str] = set()
    sequence, repeated = 0, 0
    for file in IMPORTER.each(source):
        with file.seekable() as stream:
            saved = load_torch_file(file, stream)
            records, mapping = _saved(file, saved)
            digest = _digest(file, records)
            if digest in seen:
                repeated += 1
                continue
            seen.add(digest)
            first = sequence
            for part in _requests(file, records, mapping):
                part.sequence = part.sequence + first
                sequence = max(sequence, int(part.sequence[0]) + 1)
                part.provenance = {"files_of_repeated_ranks": repeated} if repeated else {}
                yield part


def _saved(file: SourceFile, saved: Any) -> tuple[list[dict[str, Any]], NDArray[np.int64] | None]:
    records = saved.get("records") if isinstance(saved, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise UserError(f"{file}: no list 'records': not a file of the expert distribution recorder")
    if records and "topk_ids_of_layer" not in records[0]:
        raise UserError(f"{file}: records without topk_ids_of_layer: record with the mode per_token, not per_pass")
    stored = saved.get("last_physical_to_logical_map")
    mapping = stored.read().astype(np.int64) if isinstance(stored, StoredTensor) else None
    if mapping is not None and (mapping.ndim != 2 or not mapping.size):
        raise UserError(f"{file}: last_physical_to_logical_map: shape {list(mapping.shape)}: must be layers x experts")
    return records, mapping


def _digest(file: SourceFile, records: list[dict[str, Any]]) -> str:
    digest = hashlib.sha256()
    for record in records:
        digest.update(repr([record.get(name) for name in ("forward_pass_id", "input_ids", "positions")]).encode())
        stored = record.get("topk_ids_of_layer")
        if not isinstance(stored, StoredTensor):
            raise UserError(f"{file}: topk_ids_of_layer: must be a tensor in each record")
        digest.update(stored.read().tobytes())
    return digest.hexdigest()


def _requests(file: SourceFile, records: list[dict[str, Any]], mapping: NDArray[np.int64] | None) -> Iterator[RawTrace]:
    layers, top_k = _geometry(file, records)
    n_experts = None if mapping is None else int(mapping.max()) + 1
    active: list[_Request] = []
    started = count()
    for number, record in enumerate(records):
        rows = _rows(f"{file}: record {number}", record, mapping, layers, top_k)
        lengths = record.get("extend_seq_lens")
        if len(rows.token) == 0:
            continue
        if lengths:
            active = _prompts(f"{file}: record {number}", rows, lengths, active, started)
        else:
            ended, active = _decoded(rows, active, started)
            yield from (_part(request, layers, n_experts) for request in ended)
    yield from (_part(request, layers, n_experts) for request in active)


def _geometry(file: SourceFile, records: list[dict[str, Any]]) -> tuple[tuple[int, ...], int]:
    """MoE layers and top-k: where the first passes with tokens hold ids."""
    for record in records:
        ids = record["topk_ids_of_layer"].read()
        if ids.ndim == 3 and (ids >= 0).any():
            layers = np.flatnonzero((ids >= 0).any(axis=(1, 2))).tolist()
            return tuple(layers), int((ids >= 0).any(axis=(0, 1)).sum())
    raise UserError(f"{file}: no record holds a token's experts: must hold one or more")


def _rows(
    place: str, record: dict[str, Any], mapping: NDArray[np.int64] | None, layers: tuple[int, ...], top_k: int
) -> _Rows:
    for name in _FIELDS:
        if name not in record:
            raise UserError(f"{place}: no {name}: must be a record of the mode per_token")
    if record.get("forward_mode", EXTEND) not in (EXTEND, DECODE_MODE, IDLE):
        rule = "must be extend, decode or idle: a verified draft or a mixed pass does not name its requests"
        raise UserError(f"{place}: forward_mode {record['forward_mode']}: {rule}")
    ids = record["topk_ids_of_layer"].read()
    try:
        token = np.asarray(record["input_ids"], np.int64)
        position = np.asarray(record["positions"], np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{place}: input_ids, positions: must be whole numbers") from error
    if ids.ndim != 3 or layers[-1] >= ids.shape[0] or ids.shape[2] < top_k or ids.dtype.kind not in "iu":
        raise UserError(f"{place}: topk_ids_of_layer: {ids.dtype} {list(ids.shape)}: must be as in the first record")
    if token.shape != (ids.shape[1],) or position.shape != token.shape:
        raise UserError(f"{place}: {token.size} input_ids, {position.size} positions: must be {ids.shape[1]} each")
    physical = ids[list(layers), :, :top_k].astype(np.int64).transpose(1, 0, 2)
    return _Rows(token, position, _logical(place, physical, mapping, layers))


def _logical(
    place: str, physical: NDArray[np.int64], mapping: NDArray[np.int64] | None, layers: tuple[int, ...]
) -> NDArray[np.int64]:
    if mapping is None:
        return np.where(physical < 0, ABSENT, physical)
    if layers[-1] >= len(mapping) or physical.max(initial=0) >= mapping.shape[1]:
        raise UserError(f"{place}: expert id {physical.max()}: must be below {mapping.shape[1]} physical experts")
    index = np.arange(len(layers))[None, :, None]
    return np.where(physical < 0, ABSENT, mapping[list(layers)][index, np.maximum(physical, 0)])


def _prompts(place: str, rows: _Rows, lengths: Any, active: list[_Request], started: Iterator[int]) -> list[_Request]:
    if not isinstance(lengths, list) or not all(type(length) is int for length in lengths):
        raise UserError(f"{place}: extend_seq_lens: must be a list of whole numbers")
    if sum(lengths) != len(rows.token) or min(lengths) < 0:
        raise UserError(f"{place}: extend_seq_lens with the sum {sum(lengths)}: must be {len(rows.token)} tokens")
    first = 0
    for index, length in enumerate(filter(None, lengths)):
        piece = rows.part(slice(first, first + length))
        first += length
        last = active[-1] if active and index == 0 else None
        continues = last is not None and last.parts[-1][1] == PREFILL and piece.position[0] == last.next_position
        if not continues or last is None:
            last = _Request(next(started), 0)
            active = [*active, last]
        last.add(piece, PREFILL)
    return active


def _decoded(rows: _Rows, active: list[_Request], started: Iterator[int]) -> tuple[list[_Request], list[_Request]]:
    """Requests that ended before this pass, and those that go on."""
    waiting, going_on = list(active), []
    for row in range(len(rows.token)):
        position = int(rows.position[row])
        request = next((r for r in waiting if r.next_position == position), None)
        if request is None:
            request = _Request(next(started), position)
        else:
            waiting.remove(request)
        request.add(rows.part(slice(row, row + 1)), DECODE)
        going_on.append(request)
    return waiting, going_on


def _part(request: _Request, layers: tuple[int, ...], n_experts: int | None) -> RawTrace:
    experts = np.concatenate([rows.experts for rows, _ in request.parts])
    return RawTrace(
        sequence=np.full(len(experts), request.number),
        position=np.concatenate([rows.position for rows, _ in request.parts]),
        experts=experts,
        phase=np.repeat([phase for _, phase in request.parts], [len(rows.token) for rows, _ in request.parts]),
        token=np.concatenate([rows.token for rows, _ in request.parts]),
        layers=layers,
        n_experts=n_experts,
    )


IMPORTER = Importer(
    "sglang-recorder",
    "torch file of SGLang's expert distribution recorder, mode per_token",
    (".pt", ".pth"),
    _recognises,
    _read,
    fixture="written by the test with torch.save in the recorder's layout",
    source="sgl-project/sglang: eplb/expert_distribution.py, its detail gatherer and accumulator",
    passes=3,
)

"""FLAME-MoE traces: a folder of Parquet files `layer_<number>.parquet`, row i of each being token i.

Columns `indices` list<int16> and `scores` list<float16>, k of each, best first. The recording is of training batches
laid end to end: it marks no sequences, so the folder is one, imported as decode rows, and vocabulary ids (the
data set keeps them apart, in `samples/`) are not taken over. Give the folder of one checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import zip_longest

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..errors import UserError
from .base import Importer, ImportOptions, RawTrace, layer_files
from .source import Source
from .source_file import SourceFile

_NAME = re.compile(r"layer_(\d+)\.parquet")
_ROWS = 1 << 14
_ERRORS = (pa.ArrowException, OSError, ValueError)

_Batch = tuple[NDArray[np.int64], NDArray[np.float64] | None]


def _recognises(file: SourceFile) -> bool:
    return _NAME.fullmatch(file.name) is not None and file.head(4) == b"PAR1"


def _read(source: Source, options: ImportOptions) -> Iterator[RawTrace]:
    files = layer_files(source, IMPORTER.files(source), _NAME, "layer_<number>.parquet")
    first = 0
    with ExitStack() as stack:
        for batches in zip_longest(*(_batches(file, stack) for file in files.values())):
            lengths = [0 if batch is None else len(batch[0]) for batch in batches]
            if len(set(lengths)) > 1:
                layer = next(n for n, length in zip(files, lengths, strict=True) if length != lengths[0])
                rule = f"must have as many as layer {next(iter(files))} (truncated?)"
                raise UserError(f"{files[layer]}: {first + lengths[list(files).index(layer)]} rows: {rule}")
            yield _part(source, first, [batch for batch in batches if batch is not None], tuple(files))
            first += lengths[0]


def _batches(file: SourceFile, stack: ExitStack) -> Iterator[_Batch]:
    try:
        opened = pq.ParquetFile(stack.enter_context(file.seekable()))
        names = opened.schema_arrow.names
        if "indices" not in names:
            raise UserError(f"{file}: columns {names}: must have 'indices'")
        wanted = [name for name in ("indices", "scores") if name in names]
        for batch in opened.iter_batches(_ROWS, columns=wanted):
            experts = _matrix(file, batch, "indices").astype(np.int64)
            yield experts, _matrix(file, batch, "scores").astype(np.float64) if "scores" in wanted else None
    except _ERRORS as error:
        raise UserError(f"{file}: cannot be read (truncated?): {' '.join(str(error).split())}") from error


def _matrix(file: SourceFile, batch: pa.RecordBatch, name: str) -> NDArray:
    column = batch.column(name)
    if not (pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type)):
        raise UserError(f"{file}: column '{name}': type {column.type}: must be lists of k numbers")
    flat = column.flatten()
    if column.null_count or flat.null_count or len(flat) % len(batch):
        raise UserError(f"{file}: column '{name}': nulls, or lists of unlike lengths: must be k numbers a row")
    lengths = np.full(len(batch), len(flat) // len(batch))
    if pa.types.is_list(column.type) and (np.diff(column.offsets.to_numpy()) != lengths).any():
        raise UserError(f"{file}: column '{name}': lists of unlike lengths: must be k numbers a row")
    return flat.to_numpy(zero_copy_only=False).reshape(len(batch), -1)


def _part(source: Source, first: int, batches: list[_Batch], layers: tuple[int, ...]) -> RawTrace:
    shapes = {experts.shape[1] for experts, _ in batches}
    if len(shapes) > 1:
        raise UserError(f"{source}: {sorted(shapes)} experts a token in different layers: must be alike")
    scores = [values for _, values in batches if values is not None]
    if scores and (len(scores) < len(batches) or any(s.shape != scores[0].shape for s in scores)):
        raise UserError(f"{source}: scores in some layers, or of other shapes: must be as the experts")
    n = len(batches[0][0])
    return RawTrace(
        sequence=np.zeros(n, np.int64),
        position=first + np.arange(n),
        experts=np.stack([experts for experts, _ in batches], 1),
        scores=np.stack(scores, 1) if scores else None,
        layers=layers,
        provenance={"generation": "teacher-forced, training batches end to end"},
    )


IMPORTER = Importer(
    "flame-moe",
    "folder of FLAME-MoE's layer_<number>.parquet",
    (".parquet",),
    _recognises,
    _read,
    fixture="written by the test with pyarrow in the documented schema",
    source="CMU-FLAME/FLAME-MoE-Traces, README of the data set",
)

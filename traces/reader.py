"""Reader of trace files, in batches of bounded size, so that a trace larger than memory can be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .content_hash import ContentHash
from .errors import UserError
from .format import ABSENT, COLUMNS, EXPERT_COLUMNS, METADATA_KEY, UNKNOWN_TOKEN, Column, Trace, TraceMeta
from .schema import schema_fields
from .writer import rows_per_group

_READ_ERRORS = (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError, RuntimeError)


class TraceFile:
    """A trace file opened for reading: its metadata, its number of rows, and its rows in batches.

    Raises UserError, on opening and on reading, for what is not a whole trace of version 1: a missing,
    foreign, truncated or corrupt file (every page has a checksum, all content a hash), wrong columns or
    metadata.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            reason = "is a folder" if self.path.is_dir() else "no such file"
            raise UserError(f"{self.path}: {reason}: a trace is a Parquet file made by `moefetch trace import`")
        with self._reading("not a readable Parquet file"):
            self._file = pq.ParquetFile(self.path, page_checksum_verification=True)
            stored = (self._file.metadata.metadata or {}).get(METADATA_KEY)
            self._schema = self._file.schema_arrow
        if stored is None:
            key = METADATA_KEY.decode()
            raise UserError(f"{self.path}: Parquet, but not a trace: it has no metadata under the key '{key}'")
        self.meta = TraceMeta.from_json(stored, self.path)
        self.n_rows: int = self._file.metadata.num_rows
        if not self.n_rows:
            raise UserError(f"{self.path}: no rows: a trace must have one or more")
        self._check_schema()

    def _check_schema(self) -> None:
        expected = schema_fields(self.meta)
        for name in self._schema.names:
            if name not in expected:
                raise UserError(f"{self.path}: column '{name}': not a column of a version 1 trace")
        for column in COLUMNS:
            found = [f for f in self._schema if f.name == column.name]
            if len(found) != 1 and not (column.optional and not found):
                raise UserError(f"{self.path}: column '{column.name}': found {len(found)} times: must be there once")
            if found and found[0].type != expected[column.name].type:
                rule = f"must be {expected[column.name].type} by the metadata"
                raise UserError(f"{self.path}: column '{column.name}': type {found[0].type}: {rule}")

    def batches(self, *, phase: int | None = None, check_ids: bool = True) -> Iterator[Trace]:
        """The rows in order, in batches of about 8 MiB of expert ids, only those of `phase` if given.

        `check_ids` refuses ids of experts that the model does not have; off for a validator that lists them.
        Read to the end, the rows are compared with the content hash.
        """
        digest, n_rows = ContentHash(self.meta), 0
        for batch in self._record_batches():
            trace = self._trace(batch)
            digest.update(trace)
            n_rows += len(trace)
            if check_ids:
                check_expert_ids(trace, str(self.path))
            if phase is not None:
                trace = trace.select(trace.phase == phase)
            if len(trace):
                yield trace
        if n_rows != self.n_rows:
            raise UserError(f"{self.path}: {n_rows} rows: its metadata states {self.n_rows}; the file is corrupt")
        found, stated = digest.hexdigest(), self.meta.content_sha256
        if found != stated:
            raise UserError(f"{self.path}: content hash {found[:12]}..: its metadata states {stated[:12] or 'none'}..")

    def phases(self) -> NDArray[np.uint8]:
        """[T]: the phase of every row, without reading the rest."""
        return self._plain_column("phase")

    def sequences(self) -> NDArray[np.int32]:
        """[T]: the sequence of every row, without reading the rest."""
        return self._plain_column("sequence")

    def _plain_column(self, name: str) -> NDArray[Any]:
        with self._reading("cannot be read"):
            return self._file.read([name]).column(0).to_numpy()

    def _record_batches(self) -> Iterator[pa.RecordBatch]:
        with self._reading("cannot be read"):
            batches = self._file.iter_batches(batch_size=rows_per_group(self.meta))
        while True:
            with self._reading("cannot be read"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def _trace(self, batch: pa.RecordBatch) -> Trace:
        values = {}
        for column in COLUMNS:
            if column.name in batch.schema.names:
                values[column.name] = self._numpy(column, batch.column(column.name))
        with self._reading("cannot be read"):
            return Trace(self.meta, **values)

    def _numpy(self, column: Column, array: Any) -> NDArray[Any] | None:
        if column.optional and array.null_count == len(array) > 0:
            return None
        if column.name == "token":
            array = array.fill_null(UNKNOWN_TOKEN)
        shape = (len(array), *column.row_shape(self.meta))
        flat = array.flatten() if len(shape) > 1 else array
        if array.null_count or flat.null_count:
            raise UserError(f"{self.path}: column '{column.name}': has nulls beside values: must be all or none")
        with self._reading("cannot be read"):
            return flat.to_numpy(zero_copy_only=False).reshape(shape)

    @contextmanager
    def _reading(self, failure: str) -> Iterator[None]:
        try:
            yield
        except _READ_ERRORS as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(f"{self.path}: {failure} (truncated or foreign?): {reason}") from error


def read_batches(path: str | PathLike[str], *, phase: int | None = None) -> Iterator[Trace]:
    """The rows of a trace file in batches of bounded size; see `TraceFile.batches`."""
    return TraceFile(path).batches(phase=phase)


def read_trace(path: str | PathLike[str], tokens: int | None, phase: int | None) -> Trace:
    """The first `tokens` rows (None: all) of one phase (None: of any); UserError if there are none."""
    if tokens is not None and tokens < 1:
        raise UserError(f"{path}: {tokens} tokens: must be 1 or more")
    parts: list[Trace] = []
    missing = tokens
    for batch in read_batches(path, phase=phase):
        part = batch.select(slice(0, missing))
        parts.append(part)
        if missing is not None:
            missing -= len(part)
            if missing == 0:
                break
    if not parts:
        raise UserError(f"{path}: no rows" + (f" of phase {phase}" if phase is not None else "") + ": needs 1 or more")
    try:
        return Trace.concatenate(parts)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def check_expert_ids(trace: Trace, source: str) -> None:
    """Raise UserError for the first expert or hint id that is neither below n_experts nor 0xFFFF."""
    for name in EXPERT_COLUMNS:
        ids = getattr(trace, name)
        if ids is None:
            continue
        wrong = (ids >= trace.meta.n_experts) & (ids != ABSENT)
        if wrong.any():
            row, layer, index = (int(i) for i in np.argwhere(wrong)[0])
            place = f"sequence {trace.sequence[row]}, position {trace.position[row]}, layer {layer}"
            rule = f"must be below n_experts = {trace.meta.n_experts}"
            raise UserError(f"{source}: {place}: {name} id {ids[row, layer, index]}: {rule}")

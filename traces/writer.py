"""Writer of trace files, whole or batch by batch, so that a trace larger than memory can be written."""

from __future__ import annotations

import base64
import dataclasses
from os import PathLike
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .atomic import replacing
from .content_hash import ContentHash
from .errors import UserError
from .format import METADATA_KEY, UNKNOWN_TOKEN, Trace, TraceMeta
from .schema import schema_fields

ROW_GROUP_BYTES = 8 << 20
"""Size of a row group's expert ids before compression: what a reader holds at a time is a small multiple."""

_ARROW_KEY = b"ARROW:schema"
"""Where Arrow keeps a file's schema, as the base64 of its IPC message (Arrow, C++ documentation, Parquet)."""


class TraceWriter:
    """Writes batches of a trace, cut anywhere, as row groups of equal size; a context manager that closes the file.

    `path` should be a temporary name (see `atomic.replacing`): a file without `finish` is no trace.

    `meta` may be replaced before the end (its provenance, licence or model name, not its geometry), since what
    a long import knows of its source is complete only then. The columns are those of the first batch.
    """

    def __init__(self, path: PathLike[str], meta: TraceMeta) -> None:
        self.meta = meta
        self.rows = 0
        self._path = path
        self._geometry = meta
        self._hash = ContentHash(meta)
        self._names: frozenset[str] | None = None
        self._file: pq.ParquetWriter | None = None
        self._waiting: list[Trace] = []
        self._n_waiting = 0

    def write(self, batch: Trace) -> None:
        """Add rows; ValueError if their columns are not those of the batches before."""
        if self._names is None:
            self._names = frozenset(batch.columns())
        if batch.columns().keys() != self._names:
            raise ValueError("batches of a trace must have the same columns")
        self._hash.update(batch)
        self.rows += len(batch)
        batch = Trace(self._geometry, **batch.columns())
        room = rows_per_group(self._geometry)
        while len(batch):
            part = batch.select(slice(0, room - self._n_waiting))
            batch = batch.select(slice(len(part), None))
            self._waiting.append(part)
            self._n_waiting += len(part)
            if self._n_waiting == room:
                self._write_group()

    def finish(self) -> TraceMeta:
        """Write what waits and the metadata with the content hash, and return it; ValueError if there are no rows."""
        if not self.rows:
            raise ValueError("a trace must have one row or more")
        if self._waiting:
            self._write_group()
        file = self._opened()
        meta = dataclasses.replace(self.meta, content_sha256=self._hash.hexdigest())
        stored = {METADATA_KEY: meta.to_json().encode()}
        arrow = file.schema.with_metadata(stored).serialize().to_pybytes()
        file.add_key_value_metadata(stored | {_ARROW_KEY: base64.b64encode(arrow)})
        file.close()
        self._file = None
        return meta

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def _write_group(self) -> None:
        rows = Trace.concatenate(self._waiting)
        self._waiting, self._n_waiting = [], 0
        file = self._opened()
        arrays = [_arrow_array(f, rows.columns().get(f.name), len(rows)) for f in file.schema]
        file.write_table(pa.Table.from_arrays(arrays, schema=file.schema), row_group_size=len(rows))

    def _opened(self) -> pq.ParquetWriter:
        if self._file is None:
            present = (self._names or frozenset()) | {"scores"}
            fields = schema_fields(self._geometry)
            schema = pa.schema([f for name, f in fields.items() if name in present or not f.nullable])
            self._file = pq.ParquetWriter(
                self._path,
                schema,
                compression="zstd",
                compression_level=9,
                write_page_checksum=True,
                store_schema=False,  # `finish` stores it: only then is its metadata known
            )
        return self._file


def write_trace(path: str | PathLike[str], trace: Trace) -> TraceMeta:
    """Write the trace to `path` and return its metadata as written, with the content hash.

    Atomic: `path` is complete or untouched. Deterministic: the same trace gives the same bytes with the same
    version of pyarrow. Raises UserError if the trace has no rows, or `path` cannot be written.
    """
    if not len(trace):
        raise UserError(f"{path}: no rows: a trace must have one or more")
    with replacing(path) as temporary, TraceWriter(temporary, trace.meta) as writer:
        writer.write(trace)
        return writer.finish()


def rows_per_group(meta: TraceMeta) -> int:
    """Rows in a row group: as many as make ROW_GROUP_BYTES of expert ids."""
    return max(1, ROW_GROUP_BYTES // (meta.n_layers * meta.top_k * 2))


def _arrow_array(column: pa.Field, values: NDArray[Any] | None, n_rows: int) -> pa.Array:
    if values is None:
        return pa.nulls(n_rows, column.type)
    if column.name == "token":
        return pa.array(values, column.type, mask=values == UNKNOWN_TOKEN)
    if values.ndim == 1:
        return pa.array(values, column.type)
    flat = pa.array(np.ascontiguousarray(values).reshape(-1), column.type.value_type)
    return pa.FixedSizeListArray.from_arrays(flat, type=column.type)

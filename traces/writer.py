"""Writer of trace files."""

from __future__ import annotations

import dataclasses
from os import PathLike
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .atomic import replacing
from .content_hash import content_hash
from .format import METADATA_KEY, UNKNOWN_TOKEN, Trace, TraceMeta
from .schema import schema_fields

ROW_GROUP_BYTES = 8 << 20
"""Size of a row group's expert ids before compression: what a reader holds at a time is a small multiple."""


def write_trace(path: str | PathLike[str], trace: Trace) -> TraceMeta:
    """Write the trace to `path` and return its metadata as written, with the content hash.

    Atomic: `path` is complete or untouched. Deterministic: the same trace gives the same bytes with the same
    version of pyarrow. Raises UserError if `path` cannot be written.
    """
    meta = dataclasses.replace(trace.meta, content_sha256=content_hash(trace))
    fields = schema_fields(meta)
    present = trace.columns().keys() | {"scores"}
    schema = pa.schema([f for name, f in fields.items() if name in present])
    schema = schema.with_metadata({METADATA_KEY: meta.to_json().encode()})
    rows = rows_per_group(meta)
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            compression_level=9,
            write_page_checksum=True,
        ) as writer,
    ):
        for first in range(0, len(trace), rows):
            part = trace.select(slice(first, first + rows))
            arrays = [_arrow_array(f, part.columns().get(f.name), len(part)) for f in schema]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=rows)
    return meta


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

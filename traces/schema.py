"""Arrow schema of a trace file: the format's columns as Parquet types."""

from __future__ import annotations

import pyarrow as pa

from .format import COLUMNS, Column, TraceMeta


def arrow_type(column: Column, meta: TraceMeta) -> pa.DataType:
    """The column's type: a plain one, or a fixed_size_list, layer-major, of all values of a row."""
    scalar = pa.from_numpy_dtype(column.dtype)
    shape = column.row_shape(meta)
    return pa.list_(scalar, shape[0] * shape[1]) if shape else scalar


def schema_fields(meta: TraceMeta) -> dict[str, pa.Field]:
    """Every column that version 1 knows, by name."""
    return {c.name: pa.field(c.name, arrow_type(c, meta), nullable=c.optional or c.name == "token") for c in COLUMNS}

"""Results on disk: a Parquet file for each finished point, at the end one for all; a killed run loses nothing.

A part is named by its point's digest and appears whole, so that no result is there twice and none is half there.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..traces.atomic import replacing
from ..traces.errors import UserError
from .point_columns import METADATA_KEY, Row, columns, schema, to_table
from .report import make_folder

RESULTS = "results.parquet"
PARTS = "parts"
OTHERS = "others.parquet"
"""Part with the results of points that are no longer asked for, kept for when they are again."""
LOCK = ".lock"


class PointStore:
    """The results in a folder, by point; `opened` alone makes one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = make_folder(folder / PARTS)
        for unfinished in self._parts.glob(".*.tmp"):  # of a process that was killed while it wrote
            unfinished.unlink()
        self._rows: dict[str, Row] = {}
        for path in [folder / RESULTS, *sorted(self._parts.glob("*.parquet"))]:
            if path.exists():
                self._rows |= {row["point"]: row for row in _read(path)}

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator["PointStore"]:
        """Open a folder for one process; raises UserError while another has it, or if it cannot be written."""
        with (make_folder(folder) / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system frees it, however this process ends
            except BlockingIOError:
                raise UserError(f"{folder}: another sweep or exploration is writing there") from None
            yield cls(folder)

    def __contains__(self, digest: str) -> bool:
        return digest in self._rows

    def row(self, digest: str) -> Row:
        """Return a point's row."""
        return self._rows[digest]

    def rows(self, digests: Iterable[str]) -> list[Row]:
        """Return the rows of those points that are there, in the order asked for."""
        return [self._rows[digest] for digest in digests if digest in self._rows]

    def add(self, row: Row) -> None:
        """Keep a row durably: it is there after a crash of the machine too."""
        path = self._parts / f"{row['point']}.parquet"
        table = pa.Table.from_pylist([row], schema=schema())
        _write_durably(table, path)
        self._rows[row["point"]] = row

    def is_finished(self, digests: Sequence[str], metadata: dict[str, Any]) -> bool:
        """Return whether the results file holds just these points, as asked for."""
        path = self._folder / RESULTS
        if not path.exists():
            return False
        file = pq.ParquetFile(path)
        wanted = schema(metadata).metadata or {}
        return (file.schema_arrow.metadata or {}).get(METADATA_KEY) == wanted[METADATA_KEY] and file.read(
            ["point"]
        ).column(0).to_pylist() == list(digests)

    def finish(self, digests: Sequence[str], metadata: dict[str, Any], table: pa.Table | None = None) -> Path:
        """Write the results of these points, `table` if it is given, and drop their parts; others are kept."""
        found = to_table(self.rows(digests), metadata) if table is None else table
        wanted = set(digests)
        others = [row for digest, row in self._rows.items() if digest not in wanted]
        if others:
            _write_durably(pa.Table.from_pylist(others, schema=schema()), self._parts / OTHERS)
        _write_durably(found, self._folder / RESULTS)
        for path in self._parts.glob("*.parquet"):
            if path.name != OTHERS or not others:
                path.unlink()
        return self._folder / RESULTS


def read_results(path: Path) -> pa.Table:
    """Return a results file; raises UserError for any other file."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if METADATA_KEY not in (table.schema.metadata or {}):
        raise UserError(f"{path}: not a file of results: it has no metadata under {METADATA_KEY.decode()}")
    return table


def _read(path: Path) -> list[Row]:
    table = read_results(path)
    known = [name for name in columns() if name in table.column_names]
    return table.select(known).to_pylist()


def _write_durably(table: pa.Table, path: Path) -> None:
    with replacing(path) as temporary:
        with temporary.open("wb") as file:
            pq.write_table(table, file)
            file.flush()
            os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

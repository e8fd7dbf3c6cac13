"""Conversion of a trace file: to a NumPy archive, to a line of JSON per token, or to another trace file."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from .atomic import not_among, replacing
from .domains import with_edit
from .errors import UserError
from .format import ABSENT, COLUMNS, Trace, TraceMeta
from .reader import TraceFile
from .writer import TraceWriter

FORMATS = {
    ".parquet": "a trace file",
    ".npz": "a NumPy archive with every column and the metadata: importing it gives back the same trace",
    ".jsonl": "warp's line of JSON a token: positions and experts alone",
}
"""Suffix of the output -> what it becomes."""
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The date of files in an archive, so that the same trace gives the same bytes."""


def convert_trace(
    path: Path, out: Path, drop: Sequence[str] = (), on_rows: Callable[[int, int], None] | None = None
) -> int:
    """Write the trace in the format that the suffix of `out` names, without the columns `drop`; returns its rows.

    Raises UserError for an unknown suffix, a column that must not be dropped, or a trace that the format cannot hold.
    """
    source = TraceFile(path)
    write = {".parquet": _write_parquet, ".npz": _write_npz, ".jsonl": _write_jsonl}.get(out.suffix)
    if write is None:
        raise UserError(f"{out}: suffix '{out.suffix}': must be one of {', '.join(FORMATS)}")
    optional = [column.name for column in COLUMNS if column.optional]
    for name in drop:
        if name not in optional:
            raise UserError(f"--drop {name}: must be one of {', '.join(optional)}")
    edit = {"operation": "convert", "from": path.name, "from_content_sha256": source.meta.content_sha256}
    edit |= {"dropped": list(drop)} if drop else {}
    meta = dataclasses.replace(source.meta, provenance=with_edit(source.meta, edit, None))
    with replacing(not_among(out, [path])) as temporary:
        write(temporary, meta, _batches(source, drop, on_rows), out)
    return source.n_rows


def _batches(source: TraceFile, drop: Sequence[str], on_rows: Callable[[int, int], None] | None) -> Iterator[Trace]:
    done = 0
    for batch in source.batches(check_ids=False):
        yield dataclasses.replace(batch, **dict.fromkeys(drop))
        done += len(batch)
        if on_rows is not None:
            on_rows(done, source.n_rows)


def _write_parquet(path: Path, meta: TraceMeta, batches: Iterator[Trace], _: Path) -> None:
    with TraceWriter(path, meta) as writer:
        for batch in batches:
            writer.write(batch)
        writer.finish()


def _write_npz(path: Path, meta: TraceMeta, batches: Iterator[Trace], _: Path) -> None:
    """Columns are gathered in temporary files, since an archive holds one array after the other."""
    with ExitStack() as stack:
        gathered: dict[str, IO[bytes]] = {}
        shapes: dict[str, tuple[np.dtype, list[int]]] = {}
        for batch in batches:
            for name, values in batch.columns().items():
                if name not in gathered:
                    gathered[name] = stack.enter_context(tempfile.TemporaryFile())
                    shapes[name] = (values.dtype, [0, *values.shape[1:]])
                gathered[name].write(np.ascontiguousarray(values).data)
                shapes[name][1][0] += len(values)
        archive = stack.enter_context(zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED))
        for name, stream in gathered.items():
            stream.seek(0)
            _add_array(archive, name, *shapes[name], stream)
        text = np.array(meta.to_json())
        _add_array(archive, "meta", text.dtype, [], io.BytesIO(text.tobytes()))


def _add_array(archive: zipfile.ZipFile, name: str, dtype: np.dtype, shape: list[int], stream: IO[bytes]) -> None:
    info = zipfile.ZipInfo(f"{name}.npy", _EARLIEST)
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as member:
        header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(shape)}
        npy.write_array_header_2_0(member, header)
        shutil.copyfileobj(stream, member)


def _write_jsonl(path: Path, _: TraceMeta, batches: Iterator[Trace], out: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for batch in batches:
            if (batch.experts == ABSENT).any():
                row, layer, _ = np.argwhere(batch.experts == ABSENT)[0].tolist()
                place = f"sequence {batch.sequence[row]}, token {batch.position[row]}, layer {layer}"
                raise UserError(f"{out}: {place}: an absent expert: a line of warp must name k in every layer")
            for position, experts in zip(batch.position.tolist(), batch.experts.tolist(), strict=True):
                file.write(json.dumps({"tok": position, "layers": experts}) + "\n")

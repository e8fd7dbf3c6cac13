"""NumPy archive: `experts` integer [tokens, layers, k], and optionally `scores` of the same shape, `lengths`
[sequences] (consecutive rows belong to one sequence; default: one sequence) and `category` [sequences].

Any other column of the trace format may be there under its name, `sequence` and `position` in place of `lengths`.
`meta`, which `moefetch trace convert` writes, is the trace's metadata as JSON: with it the import gives back the
same trace.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..format import COLUMNS, TraceMeta
from .base import CHUNK_TOKENS, Importer, ImportOptions, RawTrace, spans
from .npz_array import ArchivedArray, archived_arrays
from .source import Source
from .source_file import SourceFile

_GEOMETRY = ("n_hints", "hint_horizon", "far_horizons", "recorder")
_SMALL = ("lengths", "category", "meta")
_OPTIONAL = tuple(c.name for c in COLUMNS if c.name not in ("experts", "scores"))


def _recognises(file: SourceFile) -> bool:
    try:
        with file.seekable() as stream, zipfile.ZipFile(stream) as archive:
            return "experts.npy" in archive.namelist()
    except (UserError, OSError, zipfile.BadZipFile, ValueError):
        return False


def _read(source: Source, options: ImportOptions) -> Iterator[RawTrace]:
    first = 0
    for file in IMPORTER.each(source):
        with ExitStack() as stack:
            arrays = archived_arrays(file, stack.enter_context(file.seekable()), stack)
            if "experts" not in arrays:
                raise UserError(f"{file}: holds {sorted(arrays)}: must hold 'experts'")
            small = {name: arrays.pop(name).all() for name in _SMALL if name in arrays}
            _check(file, arrays)
            meta = _meta(file, small.get("meta"))
            last = first
            for part in _parts(file, arrays, small, meta):
                part.sequence = part.sequence + first
                last = int(part.sequence.max(initial=last))
                yield part
            first = last + 1


def _check(file: SourceFile, arrays: Mapping[str, ArchivedArray]) -> None:
    experts = arrays["experts"]
    if len(experts.shape) != 3 or experts.dtype.kind not in "iu" or 0 in experts.shape:
        found = f"{experts.dtype} {list(experts.shape)}"
        raise UserError(f"{file}: experts: {found}: must be integers [tokens, layers, k], none of them 0")
    scores = arrays.get("scores")
    if scores is not None and (scores.shape != experts.shape or scores.dtype.kind != "f"):
        found = f"{scores.dtype} {list(scores.shape)}"
        raise UserError(f"{file}: scores: {found}: must be floats of experts' shape")
    for name in _OPTIONAL:
        if name in arrays and arrays[name].shape[:1] != experts.shape[:1]:
            raise UserError(f"{file}: {name}: {list(arrays[name].shape)}: must have {experts.shape[0]} rows")


def _meta(file: SourceFile, stored: NDArray[Any] | None) -> TraceMeta | None:
    return None if stored is None else TraceMeta.from_json(str(stored[()]), str(file))


def _parts(
    file: SourceFile, arrays: Mapping[str, ArchivedArray], small: Mapping[str, NDArray], meta: TraceMeta | None
) -> Iterator[RawTrace]:
    n = arrays["experts"].shape[0]
    sequence, position = _places(file, small.get("lengths"), n)
    about = _about(small, meta)
    for first in range(0, n, CHUNK_TOKENS):
        rows = min(CHUNK_TOKENS, n - first)
        values = {name: array.rows(rows) for name, array in arrays.items()}
        part = RawTrace(
            sequence=values.pop("sequence", sequence[first : first + rows]),
            position=values.pop("position", position[first : first + rows]),
            experts=values.pop("experts").astype(np.int64),
            scores=values.pop("scores", None),
            phase=values.pop("phase", None),
            token=values.pop("token", None),
            columns=_columns(file, values),
            is_ordered=meta is not None,
            provenance=about if first == 0 else {},
        )
        if meta is not None:
            part.layers, part.n_experts = meta.layers, meta.n_experts
            part.model, part.licence = meta.model, meta.licence
            part.geometry = {name: getattr(meta, name) for name in _GEOMETRY}
        yield part
    for array in arrays.values():
        array.finish()


def _places(file: SourceFile, lengths: NDArray[Any] | None, n: int) -> tuple[NDArray, NDArray]:
    lengths = np.array([n]) if lengths is None else lengths
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or (lengths < 1).any() or lengths.sum() != n:
        raise UserError(f"{file}: lengths: must be positive integers with the sum {n}, the tokens")
    return spans(lengths)


def _about(small: Mapping[str, NDArray], meta: TraceMeta | None) -> dict[str, Any]:
    about: dict[str, Any] = {}
    if "category" in small:
        about["categories"] = [str(c) for c in np.atleast_1d(small["category"]).tolist()]
    if meta is not None:
        about["converted"] = json.loads(meta.to_json())["provenance"]
        about |= {"categories": meta.provenance["categories"]} if "categories" in meta.provenance else {}
    return about


def _columns(file: SourceFile, values: dict[str, NDArray]) -> dict[str, NDArray]:
    types = {column.name: column.dtype for column in COLUMNS}
    unknown = values.keys() - types.keys()
    if unknown:
        raise UserError(f"{file}: array '{min(unknown)}': not a column of a trace, nor lengths, category or meta")
    for name, array in values.items():
        if array.dtype != types[name]:
            raise UserError(f"{file}: {name}: {array.dtype}: must be {types[name]}")
    return values


IMPORTER = Importer(
    "npz",
    "NumPy archive with an array experts",
    (".npz",),
    _recognises,
    _read,
    fixture="written by the test with numpy",
    source="this manual",
)

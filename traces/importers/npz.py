"""NumPy archive: `experts` integer [tokens, layers, k], and optionally `scores` of the same shape, `lengths`
[sequences] (consecutive rows belong to one sequence; default: one sequence) and `category` [sequences].
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..format import Trace
from .base import Importer, ImportOptions, RawTrace

_READ_ERRORS = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)


def _recognises(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "experts.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError):
        return False


def _read(path: Path, options: ImportOptions) -> Trace:
    arrays = _arrays(path)
    experts, scores = arrays["experts"], arrays.get("scores")
    if experts.ndim != 3 or experts.dtype.kind not in "iu" or 0 in experts.shape:
        found = f"{experts.dtype} {list(experts.shape)}"
        raise UserError(f"{path}: experts: {found}: must be integers [tokens, layers, k], none of them 0")
    if scores is not None and (scores.shape != experts.shape or scores.dtype.kind != "f"):
        raise UserError(f"{path}: scores: {scores.dtype} {list(scores.shape)}: must be floats of experts' shape")
    lengths = arrays.get("lengths", np.array([len(experts)]))
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or (lengths < 1).any() or lengths.sum() != len(experts):
        raise UserError(f"{path}: lengths: must be positive integers with the sum {len(experts)}, the tokens")
    categories = arrays.get("category")
    raw = RawTrace(
        sequence=np.repeat(np.arange(len(lengths)), lengths),
        position=np.concatenate([np.arange(n) for n in lengths]),
        experts=experts.astype(np.int64),
        scores=scores,
        provenance={} if categories is None else {"categories": [str(c) for c in categories.tolist()]},
    )
    return raw.build(path, [path], IMPORTER.name, options)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except _READ_ERRORS as error:
        raise UserError(f"{path}: not a readable NumPy archive (truncated?): {error}") from error
    if "experts" not in arrays:
        raise UserError(f"{path}: holds {sorted(arrays)}: must hold 'experts'")
    return arrays


IMPORTER = Importer("npz", "NumPy archive with an array experts", _recognises, _read)

"""ESFT: a folder of `expert_weights_<layer>.txt`, a line per sequence.

A line holds the ids of all its tokens' experts, separated by tabs, two tabs, and as many gate weights. The
number of experts per token is not in the file: it is the largest divisor of every line's count for which no
token selects an expert twice. Sequences were teacher-forced; each is imported as decode rows, since a token's
routing does not depend on whether its prefix was read at once or step by step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .base import Importer, ImportOptions, RawTrace, layer_files
from .source import Source
from .source_file import SourceFile

_NAME = re.compile(r"expert_weights_(\d+)\.txt")

_Line = tuple[NDArray[np.int64], NDArray[np.float64]]


def _recognises(file: SourceFile) -> bool:
    return _NAME.fullmatch(file.name) is not None


def _read(source: Source, options: ImportOptions) -> Iterator[RawTrace]:
    files = layer_files(source, IMPORTER.files(source), _NAME, "expert_weights_<layer>.txt")
    top_k = options.top_k or _infer_top_k(source, files)
    for sequence, lines in enumerate(_sequences(files)):
        count = len(lines[0][0])
        if count % top_k:
            raise UserError(f"{source}: --top-k {top_k}: must divide the ids of every line, {count} in one")
        length = count // top_k
        yield RawTrace(
            sequence=np.full(length, sequence),
            position=np.arange(length),
            experts=np.stack([ids.reshape(length, top_k) for ids, _ in lines], 1),
            scores=np.stack([weights.reshape(length, top_k) for _, weights in lines], 1),
            layers=tuple(files),
            provenance={"generation": "teacher-forced"},
        )


def _sequences(files: Mapping[int, SourceFile]) -> Iterator[list[_Line]]:
    """The lines of one sequence, layer by layer."""
    first = next(iter(files))
    numbered: tuple[tuple[int, bytes] | None, ...]
    for numbered in zip_longest(*(file.lines() for file in files.values())):
        lines: list[_Line] = []
        for (layer, file), line in zip(files.items(), numbered, strict=True):
            parsed = None if line is None else _line(file, *line)
            if parsed is None or (lines and len(parsed[0]) != len(lines[0][0])):
                number = next(found[0] for found in numbered if found is not None)
                found = "is missing" if parsed is None else f"{len(parsed[0])} ids"
                rule = f"must have the sequences and lengths of layer {first}"
                raise UserError(f"{files[layer]}: line {number}: {found}: {rule}")
            lines.append(parsed)
        yield lines


def _line(file: SourceFile, number: int, line: bytes) -> _Line:
    left, separator, right = line.partition(b"\t\t")
    try:
        ids = np.array([int(text) for text in left.split(b"\t")], np.int64)
        weights = np.array([float(text) for text in right.split(b"\t")], np.float64)
    except (ValueError, OverflowError) as error:
        raise UserError(f"{file}: line {number}: {error}: must be ids, two tabs, weights") from error
    if not separator or len(ids) != len(weights):
        found = f"{len(ids)} ids and {len(weights)} weights"
        raise UserError(f"{file}: line {number}: {found}: must be as many (truncated?)")
    return ids, weights


def _infer_top_k(source: Source, files: Mapping[int, SourceFile]) -> int:
    candidates: list[int] | None = None
    for lines in _sequences(files):
        count = len(lines[0][0])
        if candidates is None:
            candidates = [k for k in range(1, count + 1) if count % k == 0]
        candidates = [k for k in candidates if count % k == 0 and all(_distinct(ids, k) for ids, _ in lines)]
    if not candidates:
        raise UserError(f"{source}: no number of experts per token divides every line: state --top-k")
    return max(candidates)


def _distinct(ids: NDArray[np.int64], top_k: int) -> bool:
    sets = np.sort(ids.reshape(-1, top_k), 1)
    return bool((sets[:, 1:] != sets[:, :-1]).all())


IMPORTER = Importer(
    "esft",
    "folder of ESFT's expert_weights_<layer>.txt",
    (".txt",),
    _recognises,
    _read,
    fixture="published files",
    source="deepseek-ai/ESFT @579a7711",
    passes=2,
)

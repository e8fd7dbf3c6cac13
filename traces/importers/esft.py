"""ESFT: a folder of `expert_weights_<layer>.txt`, a line per sequence.

A line holds the ids of all its tokens' experts, separated by tabs, two tabs, and as many gate weights. The
number of experts per token is not in the file: it is the largest divisor of every line's count for which no
token selects an expert twice. Sequences were teacher-forced; each is imported as decode rows, since a token's
routing does not depend on whether its prefix was read at once or step by step.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..format import Trace
from .base import Importer, ImportOptions, RawTrace, read_whole_lines

_NAME = re.compile(r"expert_weights_(\d+)\.txt")

_Lines = list[NDArray[np.int64]]


def _layer_files(path: Path) -> dict[int, Path]:
    if not path.is_dir():
        return {}
    named = ((_NAME.fullmatch(file.name), file) for file in path.iterdir())
    return dict(sorted((int(match[1]), file) for match, file in named if match))


def _recognises(path: Path) -> bool:
    return bool(_layer_files(path))


def _read(path: Path, options: ImportOptions) -> Trace:
    files = _layer_files(path)
    if not files:
        raise UserError(f"{path}: no file expert_weights_<layer>.txt: must be a folder of them")
    layers = {layer: _layer(file) for layer, file in files.items()}
    first_layer, (first, _) = next(iter(layers.items()))
    counts = [len(line) for line in first]
    for layer, (ids, _) in layers.items():
        if [len(line) for line in ids] != counts:
            rule = f"must have the sequences and lengths of layer {first_layer}"
            raise UserError(f"{files[layer]}: {len(ids)} lines, {sum(map(len, ids))} ids: {rule}")
    top_k = options.top_k or _infer_top_k(path, counts, [ids for ids, _ in layers.values()])
    if any(count % top_k for count in counts):
        raise UserError(f"{path}: --top-k {top_k}: must divide the ids of every line, {counts[0]} in the first")
    lengths = [count // top_k for count in counts]
    experts = [np.concatenate(ids).reshape(-1, top_k) for ids, _ in layers.values()]
    weights = [np.concatenate(values).reshape(-1, top_k) for _, values in layers.values()]
    raw = RawTrace(
        sequence=np.repeat(np.arange(len(lengths)), lengths),
        position=np.concatenate([np.arange(n) for n in lengths]),
        experts=np.stack(experts, 1),
        scores=np.stack(weights, 1),
        layers=tuple(layers),
        provenance={"generation": "teacher-forced"},
    )
    return raw.build(path, files.values(), IMPORTER.name, options)


def _layer(file: Path) -> tuple[_Lines, list[NDArray[np.float64]]]:
    """Ids and weights of each line."""
    ids, weights = [], []
    for number, line in enumerate(read_whole_lines(file), 1):
        left, separator, right = line.partition("\t\t")
        try:
            ids.append(np.array([int(text) for text in left.split("\t")], np.int64))
            weights.append(np.array([float(text) for text in right.split("\t")], np.float64))
        except (ValueError, OverflowError) as error:
            raise UserError(f"{file}: line {number}: {error}: must be ids, two tabs, weights") from error
        if not separator or len(ids[-1]) != len(weights[-1]):
            found = f"{len(ids[-1])} ids and {len(weights[-1])} weights"
            raise UserError(f"{file}: line {number}: {found}: must be as many (truncated?)")
    if not ids:
        raise UserError(f"{file}: no lines: must hold one for each sequence")
    return ids, weights


def _infer_top_k(path: Path, counts: list[int], layers: list[_Lines]) -> int:
    common = math.gcd(*counts)
    for top_k in sorted((d for d in range(1, common + 1) if common % d == 0), reverse=True):
        sets = (np.sort(np.concatenate(ids).reshape(-1, top_k), 1) for ids in layers)
        if all((s[:, 1:] != s[:, :-1]).all() for s in sets):
            return top_k
    raise UserError(f"{path}: no number of experts per token divides every line: state --top-k")


IMPORTER = Importer("esft", "folder of ESFT's expert_weights_<layer>.txt", _recognises, _read)

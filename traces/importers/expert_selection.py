"""MoE expert selection trace (core12345 on Hugging Face): a JSON array per request, an object per forward pass.

    [{"0": null, "1": [[106], [89], ..], ..}, {"0": null, "1": [[17]], ..}, ..]

An object maps the number of each layer to the experts of each token of the pass, or to null where the layer is
dense. The first pass is the prompt, each later one a decoded token. Each file is a sequence; its category is the
folder that it lies in (the data set keeps a benchmark's subject there).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import UserError
from ..format import DECODE, PREFILL
from .base import CHUNK_TOKENS, Importer, ImportOptions, RawTrace, integers
from .json_stream import JsonStream
from .source import Source
from .source_file import SourceFile

_START = re.compile(rb'\s*\[\s*\{\s*"\d+"\s*:\s*(null|\[)')


def _recognises(file: SourceFile) -> bool:
    return _START.match(file.head()) is not None


def _read(source: Source, options: ImportOptions) -> Iterator[RawTrace]:
    for sequence, file in enumerate(IMPORTER.each(source)):
        position, passes = 0, []
        layers: tuple[int, ...] = ()
        for number, entry in enumerate(JsonStream(file).items()):
            layers = layers or _layers(file, entry)
            experts = _pass(file, number, entry, layers)
            passes.append((experts, PREFILL if number == 0 else DECODE))
            if sum(len(part) for part, _ in passes) >= CHUNK_TOKENS:
                yield _part(file, sequence, position, passes, layers)
                position += sum(len(part) for part, _ in passes)
                passes = []
        if not layers:
            raise UserError(f"{file}: no forward passes: must hold one or more")
        if passes:
            yield _part(file, sequence, position, passes, layers)


def _layers(file: SourceFile, entry: Any) -> tuple[int, ...]:
    try:
        return tuple(sorted(int(layer) for layer, tokens in entry.items() if tokens is not None))
    except (AttributeError, ValueError) as error:
        raise UserError(f"{file}: pass 0: {error}: must be an object of layer numbers") from error


def _pass(file: SourceFile, number: int, entry: Any, layers: tuple[int, ...]) -> np.ndarray:
    place = f"{file}: pass {number}"
    try:
        rows = [entry[str(layer)] for layer in layers]
    except (TypeError, KeyError) as error:
        raise UserError(f"{place}: layer {error}: must be there as in the first pass") from error
    experts = integers(place, rows, 3, "layers' tokens or experts").transpose(1, 0, 2)
    if number and len(experts) != 1:
        raise UserError(f"{place}: {len(experts)} tokens: must be one, a decoded token")
    return experts


def _part(
    file: SourceFile, sequence: int, position: int, passes: list[tuple[np.ndarray, int]], layers: tuple[int, ...]
) -> RawTrace:
    experts = np.concatenate([part for part, _ in passes])
    return RawTrace(
        sequence=np.full(len(experts), sequence),
        position=position + np.arange(len(experts)),
        experts=experts,
        phase=np.repeat([phase for _, phase in passes], [len(part) for part, _ in passes]),
        layers=layers,
        provenance={} if position else {"categories": [file.path.parent.name]},
    )


IMPORTER = Importer(
    "expert-selection",
    "JSON of core12345/MoE_expert_selection_trace, a file per request",
    (".json",),
    _recognises,
    _read,
    fixture="written by the test in the layout of the data set's files",
    source="files of the data set kept in andronius-yang/cse223b-proj @7f4e46fd, and their reader there",
)

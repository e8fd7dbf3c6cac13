"""What importers share: their options, the row of the table, and the rows that they find."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .source import Source
from .source_file import SourceFile

CHUNK_TOKENS = 2048
"""Tokens that an importer gathers before it hands them on: what it holds in memory at a time."""
_FILES_ASKED = 8


@dataclass(frozen=True)
class ImportOptions:
    """What the user may state about a source that does not say it; None: the source or a known model does.

    `keep_order` leaves each token's experts in the source's order instead of sorting them best score first.
    """

    model: str | None = None
    n_experts: int | None = None
    top_k: int | None = None
    licence: str | None = None
    keep_order: bool = False


@dataclass
class RawTrace:
    """Rows that an importer found in its source, before checks: a row per token.

    `experts` [T, L, K] holds ids, ABSENT where there is none; `scores` have the same shape. `columns` are any
    other columns of the format, by name. The rows of a sequence follow each other, in one part or in many.

    `layers`, `n_experts`, `model` and `licence` stay None where the source does not state them; those of the first part
    count. Of `provenance`, later parts replace what earlier ones say, but for `categories`, a list with a name for
    each sequence, which they continue. `geometry` are other fields of the metadata; `is_ordered` says that the
    order of the experts is that of a trace already.
    """

    sequence: NDArray[Any]
    position: NDArray[Any]
    experts: NDArray[Any]
    scores: NDArray[Any] | None = None
    phase: NDArray[Any] | None = None
    token: NDArray[Any] | None = None
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    layers: tuple[int, ...] | None = None
    n_experts: int | None = None
    model: str | None = None
    licence: str | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    geometry: dict[str, Any] = field(default_factory=dict)
    is_ordered: bool = False


@dataclass(frozen=True)
class Importer:
    """A format: `recognises` looks at a file's content, `read` gives its rows in parts of bounded size.

    `suffixes` choose the files of a folder that belong to the format; all of them must be readable, so that a
    damaged one is never left out in silence. `fixture` says what wrote the file that the importer is tested
    with, `source` where the format is described: the manual shows both. `passes` is how often `read` reads a file, for
    the progress. `read` raises UserError.
    """

    name: str
    description: str
    suffixes: tuple[str, ...]
    recognises: Callable[[SourceFile], bool]
    read: Callable[[Source, ImportOptions], Iterator[RawTrace]]
    fixture: str
    source: str
    passes: int = 1

    def recognises_source(self, source: Source) -> bool:
        """Whether one of the first files is of this format: a damaged first one must not hide the others."""
        return any(self.recognises(file) for file in self.files(source)[:_FILES_ASKED])

    def files(self, source: Source) -> tuple[SourceFile, ...]:
        """The source's files of this format."""
        return source.choose(self.suffixes)

    def each(self, source: Source) -> Iterator[SourceFile]:
        """The files of this format to be read one after the other: an error in the rows names the one being read."""
        for file in self.files(source):
            source.current = file
            yield file


def integers(where: object, values: Any, ndim: int, what: str) -> NDArray[np.int64]:
    """Nested lists as an array of integers; UserError naming `where` if they are ragged or hold anything else."""
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError) as error:
        raise UserError(f"{where}: {what} differ in length: must all be alike") from error
    if array.ndim != ndim or array.size == 0:
        raise UserError(f"{where}: {what}: shape {list(array.shape)}: must be {ndim} levels of lists, none empty")
    if array.dtype.kind not in "iu":
        raise UserError(f"{where}: {what}: must be integers")
    return array.astype(np.int64)


def numbers(where: object, values: Any, shape: tuple[int, ...], what: str) -> NDArray[np.float64]:
    """Nested lists as an array of floats of the given shape; UserError naming `where` if they are not that."""
    try:
        array = np.asarray(values, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{where}: {what}: must be numbers, as many as experts") from error
    if array.shape != shape:
        raise UserError(f"{where}: {what}: shape {list(array.shape)}: must be that of the experts, {list(shape)}")
    return array


def layer_files(
    source: Source, files: tuple[SourceFile, ...], pattern: re.Pattern[str], shown: str
) -> dict[int, SourceFile]:
    """The files that fit `pattern`, by its group, a layer's number; UserError if there are none, or two of a layer."""
    found: dict[int, SourceFile] = {}
    for file in files:
        match = pattern.fullmatch(file.name)
        if match is None:
            continue
        if int(match[1]) in found:
            raise UserError(f"{file}: layer {match[1]} comes twice: give the folder of one recording")
        found[int(match[1])] = file
    if not found:
        raise UserError(f"{source}: no file {shown}: must be a folder of them")
    return dict(sorted(found.items()))


def spans(lengths: list[int] | NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sequence numbers and positions, both from 0, of sequences of these lengths."""
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    position = np.arange(len(sequence)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return sequence, position

"""warp: JSONL, a line per token: `{"tok": 1, "layers": [[6, 8, ..], ..]}`, ids sorted, no scores.

`tok` counts the decoded tokens one by one; where it is again what it was in the first line, another sequence begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import UserError
from .base import CHUNK_TOKENS, Importer, ImportOptions, RawTrace, integers
from .json_stream import JsonStream
from .source import Source
from .source_file import SourceFile

_START = re.compile(rb'\s*\{\s*"tok"\s*:\s*\d+\s*,\s*"layers"\s*:\s*\[')


def _recognises(file: SourceFile) -> bool:
    return _START.match(file.head()) is not None


def _read(source: Source, options: ImportOptions) -> Iterator[RawTrace]:
    sequence = -1
    for file in IMPORTER.each(source):
        first = before = None
        rows: list[tuple[int, int, Any]] = []
        for entry in JsonStream(file).items():
            token, layers = _token(file, entry)
            first = token if first is None else first
            if token == first:
                sequence += 1
            elif before is None or token != before + 1:
                raise UserError(f"{file}: tok {token} after {before}: must be one more, or {first} for a new sequence")
            before = token
            rows.append((sequence, token, layers))
            if len(rows) == CHUNK_TOKENS:
                yield _part(file, rows)
                rows = []
        if rows:
            yield _part(file, rows)


def _token(file: SourceFile, entry: Any) -> tuple[int, Any]:
    try:
        token, layers = entry["tok"], entry["layers"]
    except (TypeError, KeyError) as error:
        raise UserError(f"{file}: {str(entry)[:40]}..: must be {{'tok': n, 'layers': [[ids], ..]}}") from error
    if type(token) is not int:
        raise UserError(f"{file}: tok {str(token)[:20]}: must be a whole number")
    return token, layers


def _part(file: SourceFile, rows: list[tuple[int, int, Any]]) -> RawTrace:
    return RawTrace(
        sequence=np.array([sequence for sequence, _, _ in rows]),
        position=np.array([token for _, token, _ in rows]),
        experts=integers(file, [layers for _, _, layers in rows], 3, "tokens' layers or experts"),
        provenance={"generation": "decode"},
    )


IMPORTER = Importer(
    "warp",
    "JSONL of warp, a line per token",
    (".jsonl", ".json"),
    _recognises,
    _read,
    fixture="published file",
    source="sqliteai/warp @7f1fbba3",
)

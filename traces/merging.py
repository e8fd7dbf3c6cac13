"""Merging of traces of one model into one file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .atomic import not_among, replacing
from .domains import KEY, SequenceOrdinals, domains_or_name
from .errors import UserError
from .format import Trace, TraceMeta
from .reader import TraceFile
from .writer import TraceWriter

_ALIKE = ("model", "layers", "n_experts", "top_k", "n_hints", "hint_horizon", "far_horizons")


def merge_traces(
    paths: Sequence[Path], out: Path, on_rows: Callable[[int, int], None] | None = None
) -> tuple[TraceMeta, int]:
    """Write the rows of all traces, one after the other; returns the new metadata and the number of rows.

    Sequences and windows are numbered anew, so that those of different files stay apart. Each sequence keeps its
    domain; those of a file that names none are named by the file. The provenance holds that of each file. Raises
    UserError if the files differ in model, geometry or columns.
    """
    if len(paths) < 2:
        raise UserError(f"{paths[0] if paths else 'merge'}: one trace: must be two or more")
    sources = [TraceFile(path) for path in paths]
    for source in sources[1:]:
        _check_alike(sources[0], source)
    total, done = sum(source.n_rows for source in sources), 0
    names: list[str] = []
    with replacing(not_among(out, paths)) as temporary, TraceWriter(temporary, sources[0].meta) as writer:
        windows = 0
        for source in sources:
            ordinals, next_windows = SequenceOrdinals(), windows
            for batch in source.batches(check_ids=False):
                renumbered = _renumbered(batch, ordinals.of(batch) + len(names), windows)
                _write(writer, renumbered, source)
                if renumbered.window is not None:
                    next_windows = max(next_windows, int(renumbered.window.max(initial=-1)) + 1)
                done += len(batch)
                if on_rows is not None:
                    on_rows(done, total)
            windows = next_windows
            names += domains_or_name(source.meta, source.path, ordinals.count)
        writer.meta = _merged_meta([source.meta for source in sources], paths, names)
        return writer.finish(), done


def _check_alike(first: TraceFile, other: TraceFile) -> None:
    for name in _ALIKE:
        expected, found = getattr(first.meta, name), getattr(other.meta, name)
        if expected != found:
            raise UserError(f"{other.path}: {name} {found}: must be {expected} as in {first.path}")


def _renumbered(batch: Trace, sequences: Any, first_window: int) -> Trace:
    changes: dict[str, Any] = {"sequence": sequences.astype(np.int32)}
    if batch.window is not None:
        changes["window"] = np.where(batch.window < 0, batch.window, batch.window + first_window).astype(np.int32)
    return dataclasses.replace(batch, **changes)


def _write(writer: TraceWriter, batch: Trace, source: TraceFile) -> None:
    try:
        writer.write(batch)
    except ValueError as error:
        found = ", ".join(batch.columns())
        raise UserError(
            f"{source.path}: columns {found}: {error} (`moefetch trace convert --drop` drops some)"
        ) from error


def _merged_meta(metas: list[TraceMeta], paths: Sequence[Path], names: list[str]) -> TraceMeta:
    parts = [
        {"file": path.name, "content_sha256": m.content_sha256, "licence": m.licence, "provenance": m.provenance}
        for path, m in zip(paths, metas, strict=True)
    ]
    return dataclasses.replace(
        metas[0],
        licence="; ".join(dict.fromkeys(meta.licence for meta in metas)),
        recorder={program: version for meta in reversed(metas) for program, version in meta.recorder.items()},
        provenance={"edits": [{"operation": "merge", "files": len(metas)}], "merged": parts, KEY: names},
    )

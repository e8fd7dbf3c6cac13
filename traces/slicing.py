"""Slices of a trace by sequence, phase and domain, and its split into two parts by sequence."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .atomic import not_among, replacing
from .domains import KEY, SequenceOrdinals, domains_of, domains_or_name, in_domains, with_edit
from .errors import UserError
from .format import DECODE, PREFILL, Trace, TraceMeta
from .reader import TraceFile
from .writer import TraceWriter

PHASES = {"prefill": PREFILL, "decode": DECODE}


@dataclass(frozen=True)
class Selection:
    """What a slice keeps: rows that fit all that is given. `sequences` are inclusive ranges of sequence numbers."""

    sequences: tuple[tuple[int, int], ...] = ()
    phase: str | None = None
    domains: tuple[str, ...] = ()

    def described(self) -> dict[str, Any]:
        """The selection as JSON, for the provenance."""
        stated = {"sequences": [list(pair) for pair in self.sequences], "phase": self.phase, "domains": self.domains}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in stated.items() if value}


class _Part:
    """One output: the rows whose mask is set, and the names of the sequences that they belong to."""

    def __init__(self, source: TraceFile, edit: dict[str, Any], temporary: Path, stack: ExitStack) -> None:
        self._source, self._edit = source, edit
        self._writer = stack.enter_context(TraceWriter(temporary, source.meta))
        self._ordinals: list[NDArray[np.int64]] = []
        self.rows = 0

    def add(self, batch: Trace, mask: NDArray[np.bool_], ordinals: NDArray[np.int64]) -> None:
        if mask.any():
            self._writer.write(batch.select(mask))
            self._ordinals.append(np.unique(ordinals[mask]))
            self.rows += int(mask.sum())

    def finish(self, n_sequences: int) -> TraceMeta:
        meta = self._source.meta
        domains = None if domains_of(meta) is None else domains_or_name(meta, self._source.path, n_sequences)
        kept = np.unique(np.concatenate(self._ordinals)).tolist()
        edit = {**self._edit, "from": self._source.path.name, "from_content_sha256": meta.content_sha256}
        names = None if domains is None else [domains[ordinal] for ordinal in kept]
        self._writer.meta = dataclasses.replace(meta, provenance=with_edit(meta, edit, names))
        return self._writer.finish()


def parse_sequences(text: str) -> tuple[tuple[int, int], ...]:
    """Ranges of `0-9,15`; UserError naming the text and the rule."""
    ranges = []
    for piece in text.split(","):
        low, dash, high = piece.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()) or (dash and int(high) < int(low)):
            raise UserError(f"sequences: {text}: must be numbers and ranges such as 0-9,15")
        ranges.append((int(low), int(high or low)))
    return tuple(ranges)


def slice_trace(
    path: Path, out: Path, selection: Selection, on_rows: Callable[[int, int], None] | None = None
) -> tuple[TraceMeta, int]:
    """Write the selected rows of a trace; returns the new metadata and the number of rows.

    Sequences and positions keep their numbers, and all columns are carried along. Raises UserError if nothing
    is selected, or if a domain is asked for and the trace names none.
    """
    source = TraceFile(path)
    names = _names(source, path) if selection.domains else None
    with replacing(not_among(out, [path])) as temporary, ExitStack() as stack:
        part = _Part(source, {"operation": "slice", "selected": selection.described()}, temporary, stack)
        ordinals, done = SequenceOrdinals(), 0
        for batch in source.batches(check_ids=False):
            place = ordinals.of(batch)
            part.add(batch, _mask(batch, place, selection, names), place)
            done += len(batch)
            if on_rows is not None:
                on_rows(done, source.n_rows)
        if not part.rows:
            found = f", domains {', '.join(sorted(set(names)))}" if names else ""
            raise UserError(f"{path}: no rows of {selection.described()}: must be one or more{found}")
        return part.finish(ordinals.count), part.rows


def _mask(batch: Trace, ordinals: NDArray[np.int64], selection: Selection, names: list[str] | None) -> NDArray:
    mask = np.ones(len(batch), bool)
    if selection.sequences:
        mask = np.zeros(len(batch), bool)
        for low, high in selection.sequences:
            mask |= (batch.sequence >= low) & (batch.sequence <= high)
    if selection.phase is not None:
        mask &= batch.phase == PHASES[selection.phase]
    if names is not None:
        mask &= np.array([in_domains(name, selection.domains) for name in names], bool)[ordinals]
    return mask


def _names(source: TraceFile, path: Path) -> list[str]:
    if domains_of(source.meta) is None:
        raise UserError(f"{path}: names no domains ('{KEY}' in its provenance): `moefetch trace merge` writes them")
    return domains_or_name(source.meta, path, len(_in_order(source.sequences())))


def split_trace(
    path: Path,
    outs: tuple[Path, Path],
    test_share: float,
    seed: int,
    on_rows: Callable[[int, int], None] | None = None,
) -> tuple[tuple[TraceMeta, int], tuple[TraceMeta, int]]:
    """Write a training and a test part; returns the metadata and the number of rows of each.

    Whole sequences go to one part: the test part is the `test_share` of them, rounded, that come first by the
    SHA-256 of `seed:sequence`, at least one and not all. The same trace, share and seed give the same parts on any
    machine; a sequence added later moves few others. UserError if there are fewer than two sequences.
    """
    if not 0 < test_share < 1:
        raise UserError(f"test share {test_share}: must be above 0 and below 1")
    if outs[0].resolve() == outs[1].resolve():
        raise UserError(f"{outs[1]}: is the training part: must be another file")
    source = TraceFile(path)
    test = sequences_of_test(_in_order(source.sequences()), path, test_share, seed)
    with ExitStack() as stack:
        parts = []
        for name, out in zip(("train", "test"), outs, strict=True):
            temporary = stack.enter_context(replacing(not_among(out, [path])))
            edit = {"operation": "split", "part": name, "test_share": test_share, "seed": seed}
            parts.append((temporary, edit))
        with ExitStack() as writers:
            train_part, test_part = (_Part(source, edit, temporary, writers) for temporary, edit in parts)
            ordinals, done = SequenceOrdinals(), 0
            for batch in source.batches(check_ids=False):
                is_test, place = np.isin(batch.sequence, test), ordinals.of(batch)
                test_part.add(batch, is_test, place)
                train_part.add(batch, ~is_test, place)
                done += len(batch)
                if on_rows is not None:
                    on_rows(done, source.n_rows)
            metas = [part.finish(ordinals.count) for part in (train_part, test_part)]
            return (metas[0], train_part.rows), (metas[1], test_part.rows)


def sequences_of_test(sequences: list[int], path: Path, test_share: float, seed: int) -> list[int]:
    """The sequences of the test part."""
    if len(sequences) < 2:
        raise UserError(f"{path}: {len(sequences)} sequence: must be two or more to be split by sequence")
    by_hash = sorted(sequences, key=lambda number: hashlib.sha256(f"{seed}:{number}".encode()).digest())
    return by_hash[: min(max(1, round(len(sequences) * test_share)), len(sequences) - 1)]


def _in_order(sequences: NDArray[np.int32]) -> list[int]:
    starts = np.ones(len(sequences), bool)
    starts[1:] = sequences[1:] != sequences[:-1]
    return sequences[starts].tolist()

"""The step from what an importer found to a trace: geometry, order of experts, types, metadata."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..domains import SequenceOrdinals
from ..errors import UserError
from ..format import ABSENT, DECODE, UNKNOWN_TOKEN, Trace, TraceMeta
from .base import Importer, ImportOptions, RawTrace
from .known_models import known_model
from .source import Source, digest_of

_INT32 = (1 << 31) - 1
_RANGES = {"sequence": (0, _INT32), "position": (0, _INT32), "phase": (0, 255), "token": (UNKNOWN_TOKEN, _INT32)}


class TraceBuilder:
    """Turns the parts that an importer reads into batches of one trace.

    `meta` is there from the first batch on; `final_meta`, with all provenance, once they are all read. Raises
    UserError naming the source where an id or a shape cannot be right.
    """

    meta: TraceMeta

    def __init__(self, source: Source, importer: Importer, options: ImportOptions) -> None:
        self._source = source
        self._importer = importer
        self._options = options
        self._provenance: dict[str, Any] = {}
        self._columns: set[str] | None = None
        self._sequences = SequenceOrdinals()

    def batches(self) -> Iterator[Trace]:
        """The rows in order, at least one."""
        parts = (part for part in self._importer.read(self._source, self._options) if len(part.experts))
        first = next(parts, None)
        if first is None or first.experts.size == 0:
            raise UserError(f"{self._source}: no tokens: a trace needs one or more")
        self._ordered = "as in the source" if self._options.keep_order or first.scores is None else "best score first"
        self._first = first
        self.meta = self._first_meta(first, parts)
        for part in chain([first], parts):
            self._extend_provenance(part)
            batch = self._trace(part)
            self._sequences.of(batch)
            yield batch

    def final_meta(self) -> TraceMeta:
        """The metadata with all that the parts said, and the digest of the files."""
        about = {
            "importer": self._importer.name,
            "source": self._source.name,
            "source_sha256": digest_of(self._importer.files(self._source)),
            "expert_order": self._ordered,
        }
        names = self._provenance.get("categories")
        if names is not None and len(names) != self._sequences.count:
            found = f"{len(names)} categories, {self._sequences.count} sequences"
            raise UserError(f"{self._source}: {found}: must be a category for each sequence, or none")
        return dataclasses.replace(self.meta, provenance=about | self.meta.provenance | self._provenance)

    def _extend_provenance(self, part: RawTrace) -> None:
        for key, value in part.provenance.items():
            before = self._provenance.get(key, [])
            self._provenance[key] = [*before, *value] if key == "categories" else value

    def _first_meta(self, raw: RawTrace, rest: Iterator[RawTrace]) -> TraceMeta:
        n_layers, top_k = raw.experts.shape[1:]
        options = self._options
        if options.top_k not in (None, top_k):
            raise UserError(f"--top-k {options.top_k}: {self._source} has {top_k} experts a token: must be that")
        known = known_model(options.model or raw.model, n_layers, top_k, raw.layers)
        n_experts = options.n_experts or raw.n_experts or (known and known.n_experts)
        if n_experts is None:
            highest = max(_highest(part) for part in chain([raw], rest))
            rule = f"state --experts (the highest id is {highest})"
            found = f"{n_layers} layers, top-{top_k}"
            raise UserError(f"{self._source}: {found}: not the geometry of a known model: {rule}")
        taken = {} if known is None or raw.n_experts else {"geometry": f"taken from the known model {known.name}"}
        try:
            return TraceMeta(
                model=options.model or raw.model or (known.name if known else "unknown"),
                layers=raw.layers or (known.layers if known else tuple(range(n_layers))),
                n_experts=n_experts,
                top_k=top_k,
                licence=options.licence or raw.licence or "not stated",
                provenance=taken,
                **raw.geometry,
            )
        except ValueError as error:
            raise UserError(f"{self._source}: {error}") from error

    def _trace(self, raw: RawTrace) -> Trace:
        self._check(raw)
        experts, scores = raw.experts, raw.scores
        if scores is not None and not (self._options.keep_order or raw.is_ordered):
            order = np.argsort(np.where(experts == ABSENT, np.inf, -scores), axis=2, kind="stable")
            experts, scores = np.take_along_axis(experts, order, 2), np.take_along_axis(scores, order, 2)
        with np.errstate(over="ignore"):  # a score beyond float16 becomes infinite, and validation names it
            scores = None if scores is None else scores.astype(np.float16)
        n = len(experts)
        try:
            return Trace(
                self.meta,
                sequence=raw.sequence.astype(np.int32),
                position=raw.position.astype(np.int32),
                phase=_filled(raw.phase, n, DECODE).astype(np.uint8),
                token=_filled(raw.token, n, UNKNOWN_TOKEN).astype(np.int32),
                experts=experts.astype(np.uint16),
                scores=scores,
                **raw.columns,
            )
        except ValueError as error:  # a column of another shape than the metadata's
            raise UserError(f"{self._source}: {error}") from error

    def _check(self, raw: RawTrace) -> None:
        where = self._source.current or self._source
        self._check_alike(f"{where}: sequence {raw.sequence[0]}, token {raw.position[0]}", raw)
        for name, (low, high) in _RANGES.items():
            values = getattr(raw, name)
            if values is not None and (values.dtype.kind not in "iu" or values.min() < low or values.max() > high):
                found = f"{values.dtype} {values.min()}..{values.max()}"
                raise UserError(f"{where}: {name} {found}: must be whole numbers, {low}..{high}")
        wrong = (raw.experts < 0) | (raw.experts > ABSENT)
        if wrong.any():
            row, layer, index = (int(i) for i in np.argwhere(wrong)[0])
            place = f"sequence {raw.sequence[row]}, token {raw.position[row]}, layer {layer}"
            rule = f"must be below {self.meta.n_experts} experts"
            raise UserError(f"{where}: {place}: expert id {raw.experts[row, layer, index]}: {rule}")

    def _check_alike(self, place: str, raw: RawTrace) -> None:
        """Refuse rows that are not of the model, or do not have the columns, of the first ones."""
        expected, found = (self.meta.n_layers, self.meta.top_k), raw.experts.shape[1:]
        if found != expected:
            said = f"{found[0]} layers, {found[1]} experts a token"
            raise UserError(f"{place}: {said}: must be {expected[0]} and {expected[1]} as in the rows before")
        for name in ("model", "layers", "n_experts"):
            stated, first = getattr(raw, name), getattr(self._first, name)
            is_overridden = getattr(self._options, name, None) is not None
            if None not in (stated, first) and stated != first and not is_overridden:
                raise UserError(f"{place}: {name} {stated}: must be {first} as in the rows before")
        columns = raw.columns.keys() | (set() if raw.scores is None else {"scores"})
        self._columns = columns if self._columns is None else self._columns
        if columns != self._columns:
            names = ", ".join(sorted(columns ^ self._columns))
            raise UserError(f"{place}: {names}: must be with all tokens, or with none")


def collected(builder: TraceBuilder) -> Trace:
    """All rows of a builder in memory, with the final metadata."""
    parts: Sequence[Trace] = list(builder.batches())
    whole = Trace.concatenate(parts)
    return dataclasses.replace(whole, meta=builder.final_meta())


def _highest(raw: RawTrace) -> int:
    return int(raw.experts[raw.experts != ABSENT].max(initial=0))


def _filled(values: NDArray[Any] | None, n: int, default: int) -> NDArray[Any]:
    return np.full(n, default) if values is None else values

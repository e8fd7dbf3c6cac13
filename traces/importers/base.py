"""What importers share: their options, the row of the table, and the step from raw arrays to a trace."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..format import ABSENT, DECODE, UNKNOWN_TOKEN, Trace, TraceMeta
from .known_models import known_model


@dataclass(frozen=True)
class ImportOptions:
    """What the user may state about a source that does not say it; None: the source or a known model does.

    `keep_order` leaves each token's experts in the source's order instead of sorting them best score first.
    """

    model: str | None = None
    n_experts: int | None = None
    top_k: int | None = None
    licence: str = "not stated"
    keep_order: bool = False


@dataclass(frozen=True)
class Importer:
    """A format: `recognises` looks at a path's content, `read` makes the trace or raises UserError."""

    name: str
    description: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, ImportOptions], Trace]


@dataclass
class RawTrace:
    """What an importer found in its source, before checks: a row per token.

    `experts` [T, L, K] holds ids, ABSENT where there is none; `scores` have the same shape. `layers`,
    `n_experts` and `model` stay None where the source does not state them. `phase` defaults to decode.
    """

    sequence: NDArray[Any]
    position: NDArray[Any]
    experts: NDArray[Any]
    scores: NDArray[Any] | None = None
    phase: NDArray[Any] | None = None
    layers: tuple[int, ...] | None = None
    n_experts: int | None = None
    model: str | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def build(self, source: Path, files: Iterable[Path], importer: str, options: ImportOptions) -> Trace:
        """The trace; UserError naming `source` if an id or a shape cannot be right."""
        if self.experts.size == 0:
            raise UserError(f"{source}: no tokens: a trace needs one or more")
        for name, values in (("sequence", self.sequence), ("position", self.position)):
            if values.min() < 0 or values.max() >= 1 << 31:
                raise UserError(f"{source}: {name} {values.min()}..{values.max()}: must be 0..2147483647")
        meta = self._meta(source, importer, options, digest_of(files))
        experts, scores = self.experts, self.scores
        if scores is not None and not options.keep_order:
            order = np.argsort(np.where(experts == ABSENT, np.inf, -scores), axis=2, kind="stable")
            experts, scores = np.take_along_axis(experts, order, 2), np.take_along_axis(scores, order, 2)
        with np.errstate(over="ignore"):  # a score beyond float16 becomes infinite, and validation names it
            scores = None if scores is None else scores.astype(np.float16)
        phase = np.full(len(experts), DECODE) if self.phase is None else self.phase
        return Trace(
            meta,
            sequence=self.sequence.astype(np.int32),
            position=self.position.astype(np.int32),
            phase=phase.astype(np.uint8),
            token=np.full(len(experts), UNKNOWN_TOKEN, np.int32),
            experts=experts.astype(np.uint16),
            scores=scores,
        )

    def _meta(self, source: Path, importer: str, options: ImportOptions, digest: str) -> TraceMeta:
        n_layers, top_k = self.experts.shape[1:]
        known = known_model(options.model or self.model, n_layers, top_k)
        n_experts = options.n_experts or self.n_experts or (known and known.n_experts)
        present = self.experts[self.experts != ABSENT]
        highest = int(present.max(initial=0))
        if n_experts is None:
            rule = f"state --experts (the highest id is {highest})"
            raise UserError(f"{source}: {n_layers} layers, top-{top_k}: not the geometry of a known model: {rule}")
        if highest >= n_experts or int(present.min(initial=0)) < 0:
            wrong = highest if highest >= n_experts else int(present.min())
            row, layer, _ = (int(i) for i in np.argwhere(self.experts == wrong)[0])
            place = f"sequence {self.sequence[row]}, token {self.position[row]}, layer {layer}"
            raise UserError(f"{source}: {place}: expert id {wrong}: must be below {n_experts} experts")
        order = "as in the source" if options.keep_order or self.scores is None else "best score first"
        try:
            return TraceMeta(
                model=options.model or self.model or (known.name if known else "unknown"),
                layers=self.layers or (known.layers if known else tuple(range(n_layers))),
                n_experts=n_experts,
                top_k=top_k,
                licence=options.licence,
                provenance={
                    "importer": importer,
                    "source": source.name,
                    "source_sha256": digest,
                    "expert_order": order,
                    **self.provenance,
                },
            )
        except ValueError as error:
            raise UserError(f"{source}: {error}") from error


def digest_of(files: Iterable[Path]) -> str:
    """SHA-256 of the files' bytes, one after the other."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def read_text(path: Path) -> str:
    """The file as UTF-8 text; UserError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8: must be a text file") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def read_whole_lines(path: Path) -> list[str]:
    """The file's lines; UserError if the last one has no end, as in a truncated file."""
    text = read_text(path)
    if not text.endswith("\n"):
        raise UserError(f"{path}: ends inside line {text.count(chr(10)) + 1}: the file is truncated")
    return text.split("\n")[:-1]


def head(path: Path, n_bytes: int = 4096) -> bytes:
    """The first bytes of a file; none of a folder or of what cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(n_bytes)
    except OSError:
        return b""

"""Trace format version 1: which columns a trace has, what they mean, and the metadata beside them.

A trace is a table with a row per token, in decode order, stored as Parquet (see `writer` and `reader`). With
T rows, L MoE layers, K experts per token and layer, and H hints per layer:

=============  ========  =========  ==========================================================================
column         type      shape      meaning
=============  ========  =========  ==========================================================================
sequence       int32     [T]        which sequence the token belongs to; the rows of one are consecutive
position       int32     [T]        the token's place in its sequence, growing within it
phase          uint8     [T]        0 prefill; 1 decode: a row that a replay steps through one token at a time
token          int32     [T]        vocabulary id of the token that the row processes; -1 (null in the file)
                                    where it is not known
experts        uint16    [T, L, K]  the router's selection, best score first where scores are known;
                                    0xFFFF for an absent one
scores         float16   [T, L, K]  the router's weight of each of `experts`, 0 for an absent one; None (null
                                    in the file) where not known
hints          uint16    [T, L, H]  optional. `hints[t, l]` are the experts predicted FOR layer l of token t,
                                    best first, predicted while layer `l - hint_horizon` of the same token ran
                                    (with a horizon of 1: the layer before). Layers with no such layer before
                                    them (layer 0) hold 0xFFFF
hint_scores    float16   [T, L, H]  optional; the predictor's score of each of `hints`, 0 for an absent one
far_hints      uint16    [T, L,     optional; the same for the R horizons after `hint_horizon`, nearest first, H
                         R * H]     experts each: `far_hints[t, l, r*H:(r+1)*H]` were predicted
                                    `hint_horizon + 1 + r` layers ahead (see `Trace.at_horizon`)
far_scores     float16   [T, L,     optional; the predictor's score of each of `far_hints`
                         R * H]
logits         float16   [T, L, E]  optional; the router's output for every expert, before softmax or sigmoid
window         int32     [T]        optional; speculative decoding: the verification window of the row, counted
                                    from 0 over the trace; -1 for a row that no window verified (prefill)
accepted       bool      [T]        optional; whether the row's token stayed: true for a drafted token that the
                                    target accepted, for a window's first token (the target's own) and outside
                                    of windows; a rejected token's position is taken again by the next window
draft_experts  uint16    [T, L, H]  optional; the experts that the draft phase predicted for layer l, best
                                    first; 0xFFFF where the draft model did not run on the token in time
=============  ========  =========  ==========================================================================

The layer index l counts MoE layers from 0; `TraceMeta.layers` gives each one's number in the model. E experts
are in a layer, and R is `TraceMeta.far_horizons`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import UserError

FORMAT_VERSION = 1
METADATA_KEY = b"moefetch"
ABSENT = 0xFFFF
"""The id of an expert that is not there."""
UNKNOWN_TOKEN = -1
"""The id of a token that is not known."""
PREFILL = 0
DECODE = 1


@dataclass(frozen=True)
class Column:
    """One column of the format: its numpy type, its width per row, and whether a trace may lack it."""

    name: str
    dtype: np.dtype
    width: Literal["one", "experts", "hints", "far_hints", "logits"]
    optional: bool = False

    def row_shape(self, meta: TraceMeta) -> tuple[int, ...]:
        """Shape of one row: (), (L, K), (L, H), (L, R * H) or (L, E)."""
        if self.width == "one":
            return ()
        widths = {
            "experts": meta.top_k,
            "hints": meta.n_hints,
            "far_hints": meta.far_horizons * meta.n_hints,
            "logits": meta.n_experts,
        }
        return (meta.n_layers, widths[self.width])


COLUMNS = (
    Column("sequence", np.dtype(np.int32), "one"),
    Column("position", np.dtype(np.int32), "one"),
    Column("phase", np.dtype(np.uint8), "one"),
    Column("token", np.dtype(np.int32), "one"),
    Column("experts", np.dtype(np.uint16), "experts"),
    Column("scores", np.dtype(np.float16), "experts", optional=True),
    Column("hints", np.dtype(np.uint16), "hints", optional=True),
    Column("hint_scores", np.dtype(np.float16), "hints", optional=True),
    Column("far_hints", np.dtype(np.uint16), "far_hints", optional=True),
    Column("far_scores", np.dtype(np.float16), "far_hints", optional=True),
    Column("logits", np.dtype(np.float16), "logits", optional=True),
    Column("window", np.dtype(np.int32), "one", optional=True),
    Column("accepted", np.dtype(np.bool_), "one", optional=True),
    Column("draft_experts", np.dtype(np.uint16), "hints", optional=True),
)

EXPERT_COLUMNS = tuple(c.name for c in COLUMNS if c.dtype == np.uint16)
"""The columns that hold ids of experts."""


@dataclass(frozen=True)
class TraceMeta:
    """What a trace says about itself: the model's geometry and where the trace comes from.

    `layers` are the model's numbers of its MoE layers, ascending (1..26 where layer 0 is dense).
    `n_hints` is H, hints per layer, 0 without hints; `hint_horizon` is how many MoE layers ahead they were
    made, 0 without hints; `far_horizons` is R, how many horizons after that one have hints of their own.
    `provenance` is free JSON: source, how it was made. `recorder` maps the programs that made the trace to
    their versions. `content_sha256` is set by the writer (see `content_hash`).

    Raises ValueError naming the field, its value and the rule.
    """

    model: str
    layers: tuple[int, ...]
    n_experts: int
    top_k: int
    n_hints: int = 0
    hint_horizon: int = 0
    licence: str = "not stated"
    provenance: dict[str, Any] = field(default_factory=dict)
    recorder: dict[str, str] = field(default_factory=dict)
    content_sha256: str = ""
    version: int = FORMAT_VERSION
    far_horizons: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        self._check_types()
        _check_range("version", self.version, FORMAT_VERSION, FORMAT_VERSION)
        _check_range("n_experts", self.n_experts, 1, ABSENT)
        _check_range("top_k", self.top_k, 1, self.n_experts)
        _check_range("n_hints", self.n_hints, 0, self.n_experts)
        _check_range("hint_horizon", self.hint_horizon, min(1, self.n_hints), len(self.layers))
        _check_range("far_horizons", self.far_horizons, 0, len(self.layers) - self.hint_horizon if self.n_hints else 0)
        if not self.layers or self.layers[0] < 0 or any(np.diff(self.layers) <= 0):
            raise ValueError(f"layers: {list(self.layers)}: must be ascending numbers from 0, at least one")

    def _check_types(self) -> None:
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            values = value if f.name == "layers" else (value,)
            expected = {"layers": int, "provenance": dict, "recorder": dict}.get(f.name)
            expected = expected or (int if f.type == "int" else str)
            if any(not isinstance(v, expected) or isinstance(v, bool) for v in values):
                raise ValueError(f"{f.name}: {value!r}: must be of type {expected.__name__}")

    @property
    def n_layers(self) -> int:
        """Number of MoE layers."""
        return len(self.layers)

    def to_json(self) -> str:
        """The metadata as one line of JSON, keys sorted, so that the same trace gives the same bytes."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes, source: str | PathLike[str]) -> TraceMeta:
        """Parse what `to_json` wrote; UserError naming `source`, the field, its value and the rule."""
        try:
            fields = json.loads(text)
            if not isinstance(fields, dict):
                raise ValueError("must be a JSON object")
            if fields.get("version") != FORMAT_VERSION:
                raise ValueError(f"version: {fields.get('version')!r}: this program reads {FORMAT_VERSION}")
            known = {f.name for f in dataclasses.fields(cls)}
            for name in fields.keys() - known:
                raise ValueError(f"{name}: not a field of version {FORMAT_VERSION}")
            return cls(**fields)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise UserError(f"{source}: trace metadata: {_one_line(error)}") from error


@dataclass(eq=False)
class Trace:
    """A trace, or a batch of its rows, as numpy arrays; the module's docstring has the shapes and meanings.

    Raises ValueError naming a column whose type or shape is not the format's.
    """

    meta: TraceMeta
    sequence: NDArray[np.int32]
    position: NDArray[np.int32]
    phase: NDArray[np.uint8]
    token: NDArray[np.int32]
    experts: NDArray[np.uint16]
    scores: NDArray[np.float16] | None = None
    hints: NDArray[np.uint16] | None = None
    hint_scores: NDArray[np.float16] | None = None
    far_hints: NDArray[np.uint16] | None = None
    far_scores: NDArray[np.float16] | None = None
    logits: NDArray[np.float16] | None = None
    window: NDArray[np.int32] | None = None
    accepted: NDArray[np.bool_] | None = None
    draft_experts: NDArray[np.uint16] | None = None

    def __post_init__(self) -> None:
        for column in COLUMNS:
            values = getattr(self, column.name)
            if values is None and column.optional:
                continue
            if not isinstance(values, np.ndarray) or values.dtype != column.dtype:
                raise ValueError(f"{column.name}: must be a numpy array of {column.dtype}")
            shape = (len(self.sequence), *column.row_shape(self.meta))
            if values.shape != shape:
                raise ValueError(f"{column.name}: shape {values.shape}: must be {shape}")

    def __len__(self) -> int:
        return len(self.sequence)

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns that the trace has, by name, in the format's order."""
        present = ((c.name, getattr(self, c.name)) for c in COLUMNS)
        return {name: values for name, values in present if values is not None}

    def select(self, rows: slice | NDArray[Any]) -> Trace:
        """The given rows (a slice, a boolean mask or row numbers), as a trace with the same metadata."""
        return Trace(self.meta, **{name: values[rows] for name, values in self.columns().items()})

    def decode_rows(self) -> Trace:
        """The decode rows alone."""
        return self.select(self.phase == DECODE)

    def at_horizon(self, horizon: int) -> Trace:
        """The trace with the hints made `horizon` layers ahead as its `hints`, and no others.

        Raises UserError if it has no hints of that horizon.
        """
        meta = self.meta
        place = horizon - meta.hint_horizon
        if not meta.n_hints or not 0 <= place <= meta.far_horizons or (place and self.far_hints is None):
            last = meta.hint_horizon + meta.far_horizons
            known = f"{meta.hint_horizon} to {last}" if meta.n_hints else "none"
            raise UserError(f"hint horizon: {horizon}: the trace has hints of the horizons {known}")
        changed = dataclasses.replace(meta, hint_horizon=horizon, far_horizons=0)
        columns = {n: values for n, values in self.columns().items() if n not in ("far_hints", "far_scores")}
        for near, far in (("hints", self.far_hints), ("hint_scores", self.far_scores)) if place else ():
            columns.pop(near, None)
            if far is not None:
                columns[near] = far[:, :, (place - 1) * meta.n_hints : place * meta.n_hints]
        return Trace(changed, **columns)

    def sequence_starts(self) -> NDArray[np.bool_]:
        """[T]: whether the row is the first of its sequence in this trace."""
        starts = np.ones(len(self), bool)
        starts[1:] = self.sequence[1:] != self.sequence[:-1]
        return starts

    @staticmethod
    def concatenate(parts: Sequence[Trace]) -> Trace:
        """The rows of `parts`, at least one, in order; ValueError if they differ in metadata or columns."""
        names = parts[0].columns().keys()
        if any(p.meta != parts[0].meta or p.columns().keys() != names for p in parts):
            raise ValueError("parts of a trace must have the same metadata and columns")
        return Trace(parts[0].meta, **{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})

    @classmethod
    def read(cls, path: str | PathLike[str], tokens: int | None = None, *, phase: int | None = None) -> Trace:
        """The first `tokens` rows of the file (default: all), of one phase if `phase` is given.

        Raises UserError naming file, value and rule; see `reader.TraceFile`.
        """
        from .reader import read_trace  # the reader builds Traces: imported here, as it imports this module

        return read_trace(Path(path), tokens, phase)


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name}: {value}: must be {low}" + (f"..{high}" if high != low else ""))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())

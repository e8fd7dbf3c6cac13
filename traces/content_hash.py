"""Content hash of a trace: the same geometry and arrays give the same hash, whatever file they lie in."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from .format import COLUMNS, Trace, TraceMeta


class ContentHash:
    """SHA-256 of a trace's content, fed batch by batch.

    The digest covers a line of JSON with layers, n_experts, top_k, n_hints and hint_horizon, and far_horizons
    if there are any, then a line `name sha256` for each column present, in the format's order, over its values
    as little-endian bytes, rows first. Model name, provenance and licence are left out: they describe the
    content.
    """

    def __init__(self, meta: TraceMeta) -> None:
        self._meta = meta
        self._columns = {column.name: hashlib.sha256() for column in COLUMNS}
        self._present: set[str] = set()

    def update(self, batch: Trace) -> None:
        """Add the next rows; batches may be cut anywhere."""
        for name, values in batch.columns().items():
            little = values.astype(values.dtype.newbyteorder("<"), copy=False)
            self._columns[name].update(np.ascontiguousarray(little).data)
            self._present.add(name)

    def hexdigest(self) -> str:
        """The hash of all rows so far, 64 hexadecimal digits."""
        meta = self._meta
        geometry = [meta.layers, meta.n_experts, meta.top_k, meta.n_hints, meta.hint_horizon]
        geometry += [meta.far_horizons] if meta.far_horizons else []
        lines = [json.dumps(geometry)]
        lines += [f"{n} {h.hexdigest()}" for n, h in self._columns.items() if n in self._present]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def content_hash(trace: Trace) -> str:
    """The content hash of a whole trace."""
    digest = ContentHash(trace.meta)
    digest.update(trace)
    return digest.hexdigest()

"""Domains of a trace: the name of each of its sequences, kept in the provenance as `categories`.

`categories` is a list with a name for each sequence, in the order in which the sequences come. A name may have
parts divided by `/`, such as a data set and its subject.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import UserError
from .format import Trace, TraceMeta

KEY = "categories"


class SequenceOrdinals:
    """The place of each row's sequence among the sequences of a trace, batch by batch."""

    def __init__(self) -> None:
        self.count = 0
        self._last: int | None = None

    def of(self, batch: Trace) -> NDArray[np.int64]:
        """[T]: 0 for the rows of the first sequence, and so on; batches come in order."""
        starts = batch.sequence_starts()
        if len(batch) and self._last is not None:
            starts[0] = int(batch.sequence[0]) != self._last
        ordinals = self.count - 1 + np.cumsum(starts)
        self.count += int(starts.sum())
        self._last = int(batch.sequence[-1]) if len(batch) else self._last
        return ordinals


def domains_of(meta: TraceMeta) -> list[str] | None:
    """The name of each sequence; None if the trace does not say."""
    stored = meta.provenance.get(KEY)
    return [str(name) for name in stored] if isinstance(stored, list) else None


def domains_or_name(meta: TraceMeta, path: Path, n_sequences: int) -> list[str]:
    """The name of each sequence; the file's, where the trace does not say. UserError if there are too few names."""
    found = domains_of(meta)
    if found is None:
        return [path.stem] * n_sequences
    if len(found) != n_sequences:
        raise UserError(f"{path}: {len(found)} {KEY} in the provenance: must be {n_sequences}, a name a sequence")
    return found


def in_domains(name: str, wanted: Iterable[str]) -> bool:
    """Whether a sequence's name is one of the wanted, or begins with one and `/`."""
    return any(name == domain or name.startswith(f"{domain}/") for domain in wanted)


def with_edit(meta: TraceMeta, edit: dict[str, Any], kept: list[str] | None) -> dict[str, Any]:
    """The provenance after an edit: all that was, the edit at the end of `edits`, and the names of the kept."""
    before = meta.provenance.get("edits")
    provenance = {**meta.provenance, "edits": [*(before if isinstance(before, list) else []), edit]}
    return provenance if kept is None else provenance | {KEY: kept}

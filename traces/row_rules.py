"""Rules that a trace must keep in every row: ids, sets, scores, and the order of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from .format import ABSENT, DECODE, EXPERT_COLUMNS, PREFILL, Trace


@dataclass(frozen=True)
class Finding:
    """One place where a trace breaks a rule.

    `sequence` and `position` name the token; `layer` is the MoE layer's index, None where the rule is about
    the whole token; `detail` says what was found and what must be.
    """

    rule: str
    sequence: int
    position: int
    layer: int | None
    detail: str

    def __str__(self) -> str:
        layer = "all layers" if self.layer is None else f"layer {self.layer}"
        return f"sequence {self.sequence}, token {self.position}, {layer}: {self.rule}: {self.detail}"


class Rule(Protocol):
    """A rule, fed with the trace's batches in order."""

    def update(self, batch: Trace) -> Iterator[Finding]:
        """Findings in the batch's own rows."""
        ...

    def finish(self) -> Iterator[Finding]:
        """Findings that need the whole trace."""
        ...


def finding(batch: Trace, rule: str, row: SupportsIndex, layer: int | None, detail: str) -> Finding:
    """A finding at a row of the batch."""
    return Finding(rule, int(batch.sequence[row]), int(batch.position[row]), layer, detail)


class ExpertIds:
    """Every id is below n_experts, or 0xFFFF for an absent expert."""

    def update(self, batch: Trace) -> Iterator[Finding]:
        """Ids out of range, in `experts`, the hints and `draft_experts`."""
        limit = batch.meta.n_experts
        for name in EXPERT_COLUMNS:
            ids = batch.columns().get(name)
            if ids is None:
                continue
            for row, layer, index in np.argwhere((ids >= limit) & (ids != ABSENT)):
                detail = f"{name} id {ids[row, layer, index]}: must be below {limit}"
                yield finding(batch, "expert id out of range", row, int(layer), detail)

    def finish(self) -> Iterator[Finding]:
        """Nothing: every finding is in a row."""
        yield from ()


class DistinctExperts:
    """A token selects an expert at most once in a layer."""

    def update(self, batch: Trace) -> Iterator[Finding]:
        """Experts named twice."""
        ids = np.sort(batch.experts, axis=2)
        twice = (ids[:, :, 1:] == ids[:, :, :-1]) & (ids[:, :, 1:] != ABSENT)
        for row, layer, index in np.argwhere(twice):
            detail = f"expert {ids[row, layer, index]} twice: must be selected once"
            yield finding(batch, "duplicate expert", row, int(layer), detail)

    def finish(self) -> Iterator[Finding]:
        """Nothing: every finding is in a row."""
        yield from ()


class FiniteScores:
    """Scores are finite numbers."""

    def update(self, batch: Trace) -> Iterator[Finding]:
        """Scores that are infinite or not numbers."""
        for name in ("scores", "hint_scores", "far_scores", "logits"):
            scores = batch.columns().get(name)
            if scores is None:
                continue
            for row, layer, index in np.argwhere(~np.isfinite(scores)):
                detail = f"{name} value {scores[row, layer, index]}: must be finite"
                yield finding(batch, "score not finite", row, int(layer), detail)

    def finish(self) -> Iterator[Finding]:
        """Nothing: every finding is in a row."""
        yield from ()


class RowOrder:
    """A sequence's rows are consecutive, its positions grow, and the phase is 0 or 1.

    Positions may repeat where there are speculative windows: a rejected token's place is taken again.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._last: tuple[int, int] | None = None

    def update(self, batch: Trace) -> Iterator[Finding]:
        """Sequences that come back, positions that do not grow, unknown phases."""
        for row in np.flatnonzero((batch.phase != PREFILL) & (batch.phase != DECODE)):
            yield finding(batch, "unknown phase", row, None, f"{batch.phase[row]}: must be 0 or 1")
        starts = batch.sequence_starts()
        if self._last is not None:
            starts[0] = int(batch.sequence[0]) != self._last[0]
        for row in np.flatnonzero(starts):
            sequence = int(batch.sequence[row])
            if sequence in self._seen:
                yield finding(batch, "sequence split", row, None, "comes again: its rows must be consecutive")
            self._seen.add(sequence)
        if batch.window is None:
            for row in np.flatnonzero(~starts & (self._steps(batch) <= 0)):
                yield finding(batch, "position not growing", row, None, "must be above the previous row's")
        self._last = (int(batch.sequence[-1]), int(batch.position[-1]))

    def _steps(self, batch: Trace) -> NDArray[np.int64]:
        before = self._last[1] if self._last is not None else 0
        return np.diff(batch.position.astype(np.int64), prepend=before)

    def finish(self) -> Iterator[Finding]:
        """Nothing: every finding is in a row."""
        yield from ()

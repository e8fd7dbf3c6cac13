"""Validation: tells a recording of a model's routing from a file that only has the shape of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from os import PathLike

from .format import Trace, TraceMeta
from .reader import TraceFile
from .row_rules import DistinctExperts, ExpertIds, Finding, FiniteScores, RowOrder, Rule
from .trace_rules import IdenticalRows, LostOrder, RepeatedLayer
from .window_rules import WindowOrder

FINDINGS_KEPT = 20
"""Findings kept for each rule; all are counted."""


@dataclass
class Report:
    """What validation found: rows read, the first findings of each rule, and the count of all."""

    rows: int = 0
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def valid(self) -> bool:
        """Whether no rule is broken."""
        return not self.counts

    def add(self, findings: Iterable[Finding]) -> None:
        """Count findings, and keep the first of each rule."""
        for found in findings:
            self.counts[found.rule] += 1
            if self.counts[found.rule] <= FINDINGS_KEPT:
                self.findings.append(found)

    def summary(self) -> str:
        """The broken rules with their counts, and the first finding."""
        broken = ", ".join(f"{rule} ({count})" for rule, count in self.counts.items())
        return f"{broken}; first: {self.findings[0]}"


def validate_batches(meta: TraceMeta, batches: Iterable[Trace], on_rows: Callable[[int], None] | None = None) -> Report:
    """Check batches of a trace, in order, against every rule; `on_rows(rows so far)` is told the progress."""
    rules: list[Rule] = [
        ExpertIds(),
        DistinctExperts(),
        FiniteScores(),
        RowOrder(),
        WindowOrder(),
        RepeatedLayer(meta),
        IdenticalRows(meta),
        LostOrder(meta),
    ]
    report = Report()
    for batch in batches:
        for rule in rules:
            report.add(rule.update(batch))
        report.rows += len(batch)
        if on_rows is not None:
            on_rows(report.rows)
    for rule in rules:
        report.add(rule.finish())
    return report


def validate_trace(trace: Trace) -> Report:
    """Check a trace in memory."""
    return validate_batches(trace.meta, [trace] if len(trace) else [])


def validate_file(path: str | PathLike[str], on_rows: Callable[[int, int], None] | None = None) -> Report:
    """Check a trace file, batch by batch; `on_rows(done, total)` is told the progress.

    Raises UserError for a file that is not a readable trace at all.
    """
    file = TraceFile(path)
    told = None if on_rows is None else lambda done: on_rows(done, file.n_rows)
    return validate_batches(file.meta, file.batches(check_ids=False), told)

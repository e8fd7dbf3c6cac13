"""Counters of the golden model, kept per layer and per source; totals are their sums."""

from collections.abc import Iterable, Mapping
from typing import Any

from ...hw.records import Class, Filter, Source

NAMES: tuple[str, ...] = (
    "demand", "hit", "late", "miss", "hit_prefetch", "hit_reuse", "on_target", "later_use",
    "generated", "resident", "in_flight", "in_queue", "over_budget", "overflow", "no_victim",
    "expired", "promoted", "flushed", "queued_open",
    "issued", "timely", "useless", "aborted", "failed", "open",
)  # fmt: skip
"""Counters that follow from the commit log, by the names of registers and reports."""

FIRST_USES = {Class.HIT_ON_TARGET: "on_target", Class.HIT_LATER_USE: "later_use"}
"""Counter of each kind of first use."""


class Statistics:
    """Counts by layer, and for what a candidate caused also by the source that named it.

    `slacks` are the cycles from the fill of each timely prefetch to its first use, where cycles are known.
    """

    __slots__ = ("_layers", "_sources", "slacks")

    def __init__(self, n_layers: int):
        self._layers = [dict.fromkeys(NAMES, 0) for _ in range(n_layers)]
        self._sources = [dict.fromkeys(NAMES, 0) for _ in Source]
        self.slacks: list[int] = []

    @classmethod
    def of(cls, layers: Iterable[Mapping[str, int]], sources: Iterable[Mapping[str, int]]) -> "Statistics":
        """Return statistics with these counters for each layer and for each source, counted elsewhere."""
        found = cls(0)
        found._layers = [dict(counts) for counts in layers]
        found._sources = [dict(counts) for counts in sources]
        return found

    def count(self, name: str, layer: int) -> None:
        """Count what no candidate caused."""
        self._layers[layer][name] += 1

    def count_prefetch(self, name: str, layer: int, source: int) -> None:
        """Count what befell a candidate or a prefetch that `source` named."""
        self._layers[layer][name] += 1
        self._sources[source][name] += 1

    def count_class(self, found: Class, layer: int, source: int) -> None:
        """Count a member's classification; `source` matters only for what was prefetched."""
        self.count("demand", layer)
        if found == Class.MISS:
            self.count("miss", layer)
        elif found == Class.LATE:
            self.count_prefetch("late", layer, source)
        else:
            self.count("hit", layer)
            if found == Class.HIT_REUSE:
                self.count("hit_reuse", layer)
                return
            for name in ("hit_prefetch", "timely", FIRST_USES[found]):
                self.count_prefetch(name, layer, source)

    def count_candidate(self, outcome: Filter, layer: int, source: int) -> None:
        """Count a candidate; an overflow is left to be counted with the entry that is dropped."""
        self.count_prefetch("generated", layer, source)
        if outcome < Filter.OVERFLOW:
            self.count_prefetch(outcome.name.lower(), layer, source)

    def set_open(self, queued: Iterable[tuple[int, int]], unused: Iterable[tuple[int, int]]) -> None:
        """Count afresh what is left: layer and source of each queued entry and of each unused prefetch."""
        for counts in (*self._layers, *self._sources):
            counts["queued_open"] = counts["open"] = 0
        for name, left in (("queued_open", queued), ("open", unused)):
            for layer, source in left:
                self.count_prefetch(name, layer, source)

    def totals(self) -> dict[str, int]:
        """Return all counters."""
        return {name: sum(layer[name] for layer in self._layers) for name in NAMES}

    def report(self) -> dict[str, Any]:
        """Return counters and ratios per layer and per source, and the slack of timely prefetches in cycles.

        Ratios are None where nothing was counted.
        """
        return {
            "layers": [_with_ratios(layer) for layer in self._layers],
            "sources": {source.name.lower(): _with_ratios(self._sources[source], demand=False) for source in Source},
            "slack_cycles": _distribution(self.slacks),
        }


def _with_ratios(counts: Mapping[str, int], *, demand: bool = True) -> dict[str, Any]:
    """Return `counts` with what follows from them; without the counters of demand for a source."""
    used = counts["timely"] + counts["late"]
    ended = counts["issued"] - counts["open"]
    shown: dict[str, Any] = dict(counts)
    if demand:
        shown["hit_rate"] = counts["hit"] / counts["demand"] if counts["demand"] else None
    else:
        for name in ("demand", "hit", "miss", "hit_reuse"):
            del shown[name]
    shown["wasted"] = counts["useless"] + counts["aborted"] + counts["failed"]
    shown["accuracy"] = used / ended if ended else None
    shown["timeliness"] = counts["timely"] / used if used else None
    return shown


def _distribution(values: list[int]) -> dict[str, float | int | None]:
    """Return count, mean, minimum, median and maximum."""
    ordered = sorted(values)
    if not ordered:
        return {"count": 0, "mean": None, "min": None, "p50": None, "max": None}
    count = len(ordered)
    return {
        "count": count,
        "mean": sum(ordered) / count,
        "min": ordered[0],
        "p50": ordered[(count - 1) // 2],
        "max": ordered[-1],
    }

"""What a folder of `moefetch compare --out` holds, as the page's charts read it."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...traces.errors import UserError
from ..cache_sizes import CACHE_SIZES_JSON, SizePoint, read_points
from ..compare import ON_DEMAND, ORACLE
from ..compare_detail import DETAIL_JSON, DETAIL_VERSION
from ..compare_report import COMPARE_JSON, COMPARE_VERSION, identity
from ..html_page import FigureText
from ..policies import KNOWN_POLICIES


@dataclass(frozen=True)
class Compared:
    """One trace's comparison: its part of compare.json, the formulas of all, its detail and cache sizes where known."""

    document: dict[str, Any]
    meanings: dict[str, dict[str, str]]
    detail: dict[str, Any] | None
    points: list[SizePoint]

    @property
    def name(self) -> str:
        """The trace's file name."""
        return Path(self.document["trace"]).name

    @property
    def policies(self) -> dict[str, dict[str, Any]]:
        """Name -> policy, in the order of reports."""
        return self.document["policies"]

    def value(self, policy: str, figure: str) -> float | None:
        """Return a figure of a policy, None where it has no value or the file does not know it."""
        return self.policies[policy]["figures"].get(figure, {}).get("value")

    def interval(self, policy: str, figure: str) -> list[float] | None:
        """Return the ends of a figure's interval, None where it has none."""
        return self.policies[policy]["figures"].get(figure, {}).get("interval")

    def text(self, *figures: str) -> list[FigureText]:
        """Return what stands beside a chart: formula and label of each figure that the file knows."""
        found = [(name, self.meanings[name]) for name in figures if name in self.meanings]
        return [FigureText(name, meaning["label"], meaning["formula"]) for name, meaning in found]

    @property
    def microseconds_per_cycle(self) -> float:
        """The real time of a (scaled) cycle."""
        workload = self.document["workload"]
        return workload["scale"] / workload["clock_hz"] * 1e6

    @property
    def token_cycle(self) -> int:
        """Experts that a token selects over all layers."""
        return self.document["workload"]["n_layers"] * self.document["workload"]["top_k"]

    @cached_property
    def best(self) -> str | None:
        """The prefetching policy of a real unit with the least mean TPOT; None if none was compared."""
        real = [name for name, p in self.policies.items() if p["prefetches"] and name in KNOWN_POLICIES]
        return min(real, key=lambda name: self.value(name, "tpot_mean") or 0, default=None)

    @property
    def shown(self) -> list[str]:
        """The policies of charts that have room for few: on-demand, the best, the oracle."""
        return [name for name in dict.fromkeys((ON_DEMAND, self.best, ORACLE)) if name in self.policies]  # type: ignore[misc]


def read_folder(folder: Path) -> list[Compared]:
    """Return the comparisons of a folder; raises UserError if it has none, or of another version."""
    document = _read(folder / COMPARE_JSON)
    if document is None:
        raise UserError(f"{folder}: no {COMPARE_JSON}: moefetch compare TRACE --out {folder} writes it")
    if document.get("compare_version") != COMPARE_VERSION:
        found = document.get("compare_version")
        raise UserError(f"{folder / COMPARE_JSON}: compare_version = {found}: must be {COMPARE_VERSION}: compare again")
    detail = _read(folder / DETAIL_JSON) or {}
    details = detail.get("comparisons", []) if detail.get("detail_version") == DETAIL_VERSION else []
    return [
        Compared(
            part,
            document["figures"],
            next((found for found in details if found.get("of") == identity(part)), None),
            read_points(folder / CACHE_SIZES_JSON, identity(part)),
        )
        for part in document["comparisons"]
    ]


def _read(path: Path) -> dict[str, Any] | None:
    """Return a JSON file, None if it is not there; raises UserError for one that is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{path}: not JSON: {error}") from error

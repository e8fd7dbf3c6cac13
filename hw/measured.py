"""Area and clock as they were measured and are shipped: docs and drops show them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .config import UnitConfig

RESULTS = Path(__file__).parent / "area_results"
PREDICTOR_RESULTS = RESULTS / "predictors"


def measured_area(config: UnitConfig) -> dict[str, Any] | None:
    """Return what `moefetch bench area` found for this configuration, None if nobody has kept it."""
    for path in sorted(RESULTS.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["digest"] == config.digest:
            return document
    return None


def verilog_digest(files: Iterable[Path]) -> str:
    """Return the SHA-256, in hex, of Verilog files without the comments they begin with, which name versions."""
    found = hashlib.sha256()
    for path in files:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        code = next((index for index, line in enumerate(lines) if not line.startswith("//")), len(lines))
        found.update("".join(lines[code:]).encode())
    return found.hexdigest()


def measured_predictors() -> dict[str, dict[str, Any]]:
    """Return name -> what `moefetch bench predictor-area` found, for the predictors whose result is kept."""
    paths = sorted(PREDICTOR_RESULTS.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}

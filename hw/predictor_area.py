"""What each predictor alone costs on an ECP5: cells, block RAM and clock, placed and routed out of context."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .area import TARGET_MHZ, emit_part
from .config import UNIT_PRESETS, UnitConfig
from .predictor_bank import PREDICTORS
from .synthesis import DEVICE, place_and_route, synthesise_ecp5, tool_versions

LANES = (8, 16, 32)
"""Of predictor `weights`; 32 are the default unit's."""

LAYERS = 4
"""Tables of more take minutes to hours to synthesise; logic hardly depends on it, block RAM is in proportion."""
_GEOMETRY = UNIT_PRESETS["default"].replace(max_layers=LAYERS)
CONFIGS: dict[str, UnitConfig] = {
    "st_moe": _GEOMETRY.replace(predictors=("st_moe",)),
    "st_moe_paper": _GEOMETRY.replace(predictors=("st_moe_paper",)),
    **{f"weights-{lanes}": _GEOMETRY.replace(predictors=("weights",), weight_lanes=lanes) for lanes in LANES},
}
"""What is measured: name -> the default unit of `LAYERS` layers with one predictor."""


def measure_predictor(name: str, folder: Path, say: Callable[[str], object]) -> dict[str, Any]:
    """Return the figures of one of `CONFIGS`, as JSON takes them; intermediate files go to `folder`.

    Minutes. Raises UserError if a tool is missing, RuntimeError if one fails.
    """
    config = CONFIGS[name]
    (predictor,) = config.predictors
    tools = tool_versions()
    top, files = emit_part(PREDICTORS[predictor](config=config), f"moefetch_{predictor}", config, folder)
    say(f"synthesis of {name}")
    cells = synthesise_ecp5(files, top=top, folder=folder)
    say(f"place and route of {name}")
    routed = place_and_route(top=top, folder=folder, mhz=TARGET_MHZ)
    return {
        "predictor": predictor, "config": config.model_dump(mode="json"), "digest": config.digest, "tools": tools,
        "label": "measured", "device": DEVICE, "mhz": round(routed.mhz, 1), "aimed_mhz": TARGET_MHZ,
        "luts": cells.luts, "cells": cells.cells, "memories": cells.memories,
        "memories_in_flip_flops": cells.in_flip_flops, "slowest_path": routed.path,
    }  # fmt: skip

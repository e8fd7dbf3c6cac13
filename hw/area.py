"""What a unit costs: its parts and the whole on an ECP5, and in gate equivalents, as one document with bounds."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from .config import UNIT_PRESETS, UnitConfig
from .dma import DmaController
from .emit import WRITERS, render_module, versions, wrapper_source, wrappers_in
from .measured import verilog_digest
from .predictor_bank import PredictorBank
from .prefetch_queue import PrefetchQueue
from .prefetch_unit import PrefetchUnit
from .residency import ResidencyDirectory
from .synthesis import (
    DEVICE,
    Ecp5Cells,
    Routed,
    bits_as_gates,
    gate_equivalents,
    place_and_route,
    synthesise_ecp5,
    tool_versions,
)
from .verilog_platform import WrappedMemories

PARTS: dict[str, type[wiring.Component]] = {
    "predictor": PredictorBank,
    "queue": PrefetchQueue,
    "directory": ResidencyDirectory,
    "dma": DmaController,
}
"""The parts whose logic is bounded, each synthesised by itself."""
BLOCK_RAM_BITS = 208 * 18432
"""Of an LFE5U-85F."""
TARGET_MHZ = 100.0
MOST_LUTS = 8000
PAPER_SHARE = 0.0002
"""Share of the area that arXiv 2606.15453 gives for its prediction unit; its whole has the arithmetic in it."""

Say = Callable[[str], object]


def emit_part(component: wiring.Component, name: str, config: UnitConfig, folder: Path) -> tuple[str, list[Path]]:
    """Write a component and its wrappers' models; return its name and the files, its own first."""
    verilog, _ = render_module(component, name=name, config=config, platform=WrappedMemories())
    texts = {name: verilog} | {wrapper: wrapper_source(wrapper) for wrapper in wrappers_in(verilog)}
    for stem, text in texts.items():
        (folder / f"{stem}.v").write_text(text, encoding="utf-8")
    return name, [folder / f"{stem}.v" for stem in texts]


def emit_unit(config: UnitConfig, folder: Path) -> tuple[str, list[Path]]:
    """Do as `emit_part` does, of the whole unit."""
    return emit_part(PrefetchUnit(config=config), "moefetch_unit", config, folder)


def measure_area(config: UnitConfig, folder: Path, say: Say, *, seeds: int) -> dict[str, Any]:
    """Return all figures of a unit, as JSON takes them; intermediate files go to `folder`, progress to `say`.

    Minutes for each of the placer's `seeds`; the one with the highest clock counts. A unit whose expert SRAM is larger
    than the device is not placed. Raises UserError if a tool is missing, ToolError if one fails, RuntimeError if the
    unit's Verilog cannot be made.
    """
    document: dict[str, Any] = {
        "config": config.model_dump(mode="json"), "digest": config.digest, "tools": tool_versions(),
        "label": "measured",
    }  # fmt: skip
    unit = emit_unit(config, folder)
    document |= {"emitted_with": versions(WRITERS), "verilog_sha256": verilog_digest(unit[1])}
    parts = {name: emit_part(part(config=config), f"moefetch_{name}", config, folder) for name, part in PARTS.items()}
    say("gate equivalents")
    document["gates"] = _gates(config, unit, parts["predictor"], folder)
    if config.slots * config.slot_bytes * 8 <= BLOCK_RAM_BITS:
        document["ecp5"] = _ecp5(unit, parts, folder, say, seeds)
    document["bounds"] = _bounds(config, document) if config == UNIT_PRESETS["edge"] else []
    return document


def _gates(
    config: UnitConfig, unit: tuple[str, list[Path]], predictor: tuple[str, list[Path]], folder: Path
) -> dict[str, Any]:
    """Return gate equivalents of the whole and of the predictor, logic and memories apart."""
    found = {}
    for name, (top, files) in {"unit": unit, "predictor": predictor}.items():
        logic, bits = gate_equivalents(files, top=top, folder=folder, keep=tuple(path.stem for path in files[1:]))
        found[name] = {"logic": logic, "memory_bits": bits, "all": logic + bits_as_gates(bits)}
    share = found["predictor"]["all"] / found["unit"]["all"]
    one_pair = found["predictor"]["logic"] + bits_as_gates(found["predictor"]["memory_bits"] / config.max_layers)
    rest = found["unit"]["all"] - found["predictor"]["all"]
    return found | {
        "share": share, "share_with_one_layers_table": one_pair / (rest + one_pair), "paper_share": PAPER_SHARE,
        "formula": "logic: transistors of static CMOS gates / 4; memory: bits x 6 / 4, cells alone",
    }  # fmt: skip


def _ecp5(
    unit: tuple[str, list[Path]], parts: dict[str, tuple[str, list[Path]]], folder: Path, say: Say, seeds: int
) -> dict[str, Any]:
    found = {}
    for name, (top, files) in parts.items():
        say(f"synthesis of the {name}")
        found[name] = _cells(synthesise_ecp5(files, top=top, folder=folder))
    say("synthesis of the unit")
    whole = synthesise_ecp5(unit[1], top=unit[0], folder=folder)
    say(f"place and route of the unit, {seeds} times" if seeds > 1 else "place and route of the unit")

    def route(seed: int) -> Routed:
        return place_and_route(top=unit[0], folder=folder, mhz=TARGET_MHZ, seed=seed)

    with ThreadPoolExecutor(min(seeds, os.cpu_count() or 1)) as pool:
        tried = dict(zip(range(1, seeds + 1), pool.map(route, range(1, seeds + 1)), strict=True))
    best = max(tried, key=lambda seed: tried[seed].mhz)
    routed = tried[best]
    return {
        "device": DEVICE, "verilog": "a drop", "mhz": round(routed.mhz, 1), "used": routed.used,
        "seed": best, "mhz_of_seeds": {str(seed): round(other.mhz, 1) for seed, other in tried.items()},
        "slowest_path": routed.path,
        "unit": _cells(whole) | {"memories": whole.memories, "memories_in_flip_flops": whole.in_flip_flops},
        "parts": found,
    }  # fmt: skip


def _cells(cells: Ecp5Cells) -> dict[str, Any]:
    return {"luts": cells.luts, "cells": cells.cells}


def _bounds(config: UnitConfig, document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the preset `edge` must keep: name, value, limit, and whether it holds."""
    ecp5 = document["ecp5"]
    luts = sum(part["luts"] for part in ecp5["parts"].values())
    large = [f"__sram__bank_{bank}__" for bank in range(config.banks)]
    large += [f"__{predictor}__table__" for predictor in config.predictors]
    inside = [name for name, cell in ecp5["unit"]["memories"].items() if "16KD" in cell]
    outside = [part for part in large if not any(part in name for name in inside)]
    lost = ecp5["unit"]["memories_in_flip_flops"]
    return [
        {"name": "clock, MHz", "value": ecp5["mhz"], "limit": TARGET_MHZ, "holds": ecp5["mhz"] >= TARGET_MHZ},
        {"name": "LUT4 of predictor, queue, directory and DMA", "value": luts, "limit": MOST_LUTS,
         "holds": luts < MOST_LUTS},
        {"name": "memories in flip-flops", "value": lost, "limit": 0, "holds": lost == 0},
        {"name": "SRAM and correlation tables outside block RAM", "value": len(outside), "limit": 0,
         "holds": not outside},
    ]  # fmt: skip

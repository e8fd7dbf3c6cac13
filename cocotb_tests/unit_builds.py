"""The units that benches are run on, here for all of them, so that each is compiled once for each simulator."""

import re
import shutil
from functools import cache
from pathlib import Path

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.emit import emit_verilog
from moefetch.hw.prefetch_unit import PrefetchUnit
from moefetch.sim.simulator import build, run

BENCHES = Path(__file__).parent
BUILD = BENCHES.parent / "build"
CONFIG = UNIT_PRESETS["tiny"].replace(commit_log=True)
UNITS = {
    "tiny": CONFIG,
    "segmented": CONFIG.replace(segments=3),
    "paged": CONFIG.replace(predictors=("st_moe",), table_window=3),
    "cached": CONFIG.replace(
        predictors=("weights",), weight_sources=((1, 0), (2, 0), (0, 1)), weight_lanes=4, weight_ways=2
    ),
    "mapped": CONFIG.replace(mapping_window=3, n_pe=3, banks=4),
    "guarded": CONFIG.replace(parity=True, predictors=("st_moe",)),
}
MEMORY = re.compile(
    r"^ *reg \[(\d+):0\] (\w+__directory__\w+|\w+__bitmaps|\w+__table__rows) \[(\d+):0\];", re.MULTILINE
)


def simulate(simulator, unit, bench, tmp_path, env):
    """Build a unit, run a bench on it, and require that its tests pass; return what the run gave.

    Of a unit with parity `UNIT_MEMORIES` tells the bench name:width:depth of each memory that has it.
    """
    if simulator == "icarus" and shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed (apt install iverilog)")
    config, verilog = UNITS[unit], emitted(unit)
    built = build([verilog], top="prefetch_unit", cache_dir=BUILD / "sim", sim=simulator)
    env = {"UNIT_CONFIG": config.model_dump_json()} | env
    if config.parity:
        env["UNIT_MEMORIES"] = _memories(verilog)
    result = run(built, bench, run_dir=tmp_path, import_dir=BENCHES, env=env, seed=1)
    assert not result.failures, "\n".join(f"{case.name}: {case.message}" for case in result.failures)
    return result


@cache
def emitted(unit):
    """Return a unit's Verilog file, which each process writes once, and all alike."""
    folder = BUILD / "units" / unit
    folder.mkdir(parents=True, exist_ok=True)
    return emit_verilog(PrefetchUnit(config=UNITS[unit]), name="prefetch_unit", config=UNITS[unit], out_dir=folder)


def _memories(verilog):
    found = MEMORY.findall(verilog.read_text())
    assert len(found) == 6, found
    return " ".join(f"{name}:{int(high) + 1}:{int(last) + 1}" for high, name, last in found)

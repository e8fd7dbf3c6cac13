"""Does the emitted unit work on both simulators against third parties' AXI models, record by record?"""

import re
import shutil
from pathlib import Path

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.emit import emit_verilog
from moefetch.hw.prefetch_unit import PrefetchUnit
from moefetch.sim.simulator import build, run

CONFIG = UNIT_PRESETS["tiny"].replace(commit_log=True)
BENCHES = Path(__file__).parent
PERIOD_NS = 10
SEEDS = {"verilator": "1 2", "icarus": "1"}
N_SCENES = 16
PAGED = CONFIG.replace(predictors=("st_moe",), table_window=3)
PAGED_SCENES = "none st_moe errors commands everything"
CACHED = CONFIG.replace(predictors=("weights",), weight_sources=((1, 0), (2, 0), (0, 1)), weight_lanes=4, weight_ways=2)
CACHED_SCENES = "weights commands everything"
MAPPED = CONFIG.replace(mapping_window=3, n_pe=3, banks=4)
SEGMENTED = CONFIG.replace(segments=3)
SEGMENT_SCENES = "abort whole_slots wrong_segments everything"
GUARDED = CONFIG.replace(parity=True, predictors=("st_moe",))
PARITY_SCENES = "few_slots least_stale evict st_moe"
MEMORY = re.compile(
    r"^ *reg \[(\d+):0\] (\w+__directory__\w+|\w+__bitmaps|\w+__table__rows) \[(\d+):0\];", re.MULTILINE
)


@pytest.mark.parametrize("simulator", SEEDS)
def test_unit(simulator, tmp_path):
    play(simulator, CONFIG, {}, N_SCENES, tmp_path)


def test_unit_with_mapped_grants(tmp_path):
    """Does a unit that chooses among its oldest grants grant each once, so that no two elements read one bank?"""
    play("icarus", MAPPED, {"UNIT_SCENES": "banks"}, 1, tmp_path)


def test_unit_with_segments(tmp_path):
    """Does a unit fetch experts whose parts lie apart, and refuse those of a layer whose parts do not add up?"""
    play("icarus", SEGMENTED, {"UNIT_SCENES": SEGMENT_SCENES}, len(SEGMENT_SCENES.split()), tmp_path)


@pytest.mark.parametrize("simulator", SEEDS)
def test_unit_with_paged_tables(simulator, tmp_path):
    """Does a unit whose tables lie in memory predict as ever, and is every update in memory in the end?"""
    play(simulator, PAGED, {"UNIT_SCENES": PAGED_SCENES}, len(PAGED_SCENES.split()), tmp_path)


def test_unit_with_cached_rows(tmp_path):
    """Does a unit whose weights lie in memory, all but some rows, predict as ever, and is every update kept?"""
    play("icarus", CACHED, {"UNIT_SCENES": CACHED_SCENES}, len(CACHED_SCENES.split()), tmp_path)


def test_unit_with_parity(tmp_path):
    """Does a unit with parity grant no wrong byte, whatever bit of its memories flips?

    On Icarus: Verilator's builds show cocotb no memories.
    """
    play(
        "icarus", GUARDED, {"UNIT_SCENES": PARITY_SCENES}, len(PARITY_SCENES.split()), tmp_path,
        bench="parity_bench", more_env=memories, seeds="1",
    )  # fmt: skip


def memories(verilog):
    """Return name:width:depth of each memory that has parity."""
    found = MEMORY.findall(verilog.read_text())
    assert len(found) == 6, found
    return {"UNIT_MEMORIES": " ".join(f"{name}:{int(high) + 1}:{int(last) + 1}" for high, name, last in found)}


def play(simulator, config, env, n_scenes, tmp_path, *, bench="unit_bench", more_env=None, seeds=None):
    """Emit and build a unit, play scenes on it, and require that each passes for each seed.

    `more_env` gives more of the bench's environment, from the Verilog file.
    """
    if simulator == "icarus" and shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed (apt install iverilog)")
    verilog = emit_verilog(PrefetchUnit(config=config), name="prefetch_unit", config=config, out_dir=tmp_path)
    cache = BENCHES.parent / "build" / "sim"
    built = build([verilog], top="prefetch_unit", cache_dir=cache, sim=simulator)
    seeds = seeds or SEEDS[simulator]
    env |= {"UNIT_CONFIG": config.model_dump_json(), "UNIT_SEEDS": seeds} | (more_env(verilog) if more_env else {})
    result = run(built, bench, run_dir=tmp_path, import_dir=BENCHES, env=env, seed=1)
    print(f"{simulator}: {result.cycles_per_second(PERIOD_NS):,.0f} cycles/s, {result.seconds:.0f} s")
    assert not result.failures, "\n".join(f"{case.name}: {case.message}" for case in result.failures)
    assert len(result.cases) == n_scenes * len(seeds.split())

"""Does the emitted unit work on both simulators against third parties' AXI models, record by record?"""

import pytest

from .unit_builds import simulate

PERIOD_NS = 10
SEEDS = {"verilator": "1 2", "icarus": "1"}
N_SCENES = 16
PAGED_SCENES = "none st_moe errors commands everything"
CACHED_SCENES = "weights commands everything"
SEGMENT_SCENES = "abort whole_slots wrong_segments everything"
PARITY_SCENES = "few_slots least_stale evict st_moe"


@pytest.mark.parametrize("simulator", SEEDS)
def test_unit(simulator, tmp_path):
    play(simulator, "tiny", {}, N_SCENES, tmp_path)


def test_unit_with_mapped_grants(tmp_path):
    """Does a unit that chooses among its oldest grants grant each once, so that no two elements read one bank?"""
    play("icarus", "mapped", {"UNIT_SCENES": "banks"}, 1, tmp_path)


def test_unit_with_segments(tmp_path):
    """Does a unit fetch experts whose parts lie apart, and refuse those of a layer whose parts do not add up?"""
    play("icarus", "segmented", {"UNIT_SCENES": SEGMENT_SCENES}, len(SEGMENT_SCENES.split()), tmp_path)


@pytest.mark.parametrize("simulator", SEEDS)
def test_unit_with_paged_tables(simulator, tmp_path):
    """Does a unit whose tables lie in memory predict as ever, and is every update in memory in the end?"""
    play(simulator, "paged", {"UNIT_SCENES": PAGED_SCENES}, len(PAGED_SCENES.split()), tmp_path)


def test_unit_with_cached_rows(tmp_path):
    """Does a unit whose weights lie in memory, all but some rows, predict as ever, and is every update kept?"""
    play("icarus", "cached", {"UNIT_SCENES": CACHED_SCENES}, len(CACHED_SCENES.split()), tmp_path)


def test_unit_with_parity(tmp_path):
    """Does a unit with parity grant no wrong byte, whatever bit of its memories flips?

    On Icarus: Verilator's builds show cocotb no memories.
    """
    play("icarus", "guarded", {"UNIT_SCENES": PARITY_SCENES}, len(PARITY_SCENES.split()), tmp_path, "parity_bench")


def play(simulator, unit, env, n_scenes, tmp_path, bench="unit_bench"):
    """Build a unit, play scenes on it, and require that each passes for each seed."""
    seeds = SEEDS[simulator]
    result = simulate(simulator, unit, bench, tmp_path, env | {"UNIT_SEEDS": seeds})
    print(f"{simulator}: {result.cycles_per_second(PERIOD_NS):,.0f} cycles/s, {result.seconds:.0f} s")
    assert len(result.cases) == n_scenes * len(seeds.split())

"""Can a bus master of a third party write and read back every field of the emitted unit?

The units are those of `test_unit`, so that they are compiled once for both.
"""

import shutil
from pathlib import Path

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.emit import emit_verilog
from moefetch.hw.prefetch_unit import PrefetchUnit
from moefetch.sim.simulator import build, run

CONFIG = UNIT_PRESETS["tiny"].replace(commit_log=True)
BENCHES = Path(__file__).parent
ONE_PIECE = "^(?!.*segment)", 6
SEGMENTED = "segment|reset|without_a_register", 3
"""The names of the tests that run, and how many they are."""


@pytest.mark.parametrize(
    ("simulator", "segments", "tests"),
    [("verilator", 1, ONE_PIECE), ("icarus", 1, ONE_PIECE), ("icarus", 3, SEGMENTED)],
)
def test_registers(simulator, segments, tests, tmp_path):
    if simulator == "icarus" and shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed (apt install iverilog)")
    config = CONFIG.replace(segments=segments)
    verilog = emit_verilog(PrefetchUnit(config=config), name="prefetch_unit", config=config, out_dir=tmp_path)
    built = build([verilog], top="prefetch_unit", cache_dir=BENCHES.parent / "build" / "sim", sim=simulator)
    names, count = tests
    env = {"UNIT_CONFIG": config.model_dump_json(), "COCOTB_TEST_FILTER": names}
    result = run(built, "registers_bench", run_dir=tmp_path, import_dir=BENCHES, env=env, seed=1)
    assert not result.failures, "\n".join(f"{case.name}: {case.message}" for case in result.failures)
    assert len(result.cases) == count

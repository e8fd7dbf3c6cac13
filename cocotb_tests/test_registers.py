"""Can a bus master of a third party write and read back every field of the emitted unit?

The unit is the one of `test_unit`, so that it is compiled once for both.
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
N_TESTS = 6


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_registers(simulator, tmp_path):
    if simulator == "icarus" and shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed (apt install iverilog)")
    verilog = emit_verilog(PrefetchUnit(config=CONFIG), name="prefetch_unit", config=CONFIG, out_dir=tmp_path)
    built = build([verilog], top="prefetch_unit", cache_dir=BENCHES.parent / "build" / "sim", sim=simulator)
    env = {"UNIT_CONFIG": CONFIG.model_dump_json()}
    result = run(built, "registers_bench", run_dir=tmp_path, import_dir=BENCHES, env=env, seed=1)
    assert not result.failures, "\n".join(f"{case.name}: {case.message}" for case in result.failures)
    assert len(result.cases) == N_TESTS

"""Does the emitted unit work on both simulators against third parties' AXI models, record by record?"""

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
N_SCENES = 13


@pytest.mark.parametrize("simulator", SEEDS)
def test_unit(simulator, tmp_path):
    if simulator == "icarus" and shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed (apt install iverilog)")
    verilog = emit_verilog(PrefetchUnit(config=CONFIG), name="prefetch_unit", config=CONFIG, out_dir=tmp_path)
    cache = BENCHES.parent / "build" / "sim"
    built = build([verilog], top="prefetch_unit", cache_dir=cache, sim=simulator)
    env = {"UNIT_CONFIG": CONFIG.model_dump_json(), "UNIT_SEEDS": SEEDS[simulator]}
    result = run(built, "unit_bench", run_dir=tmp_path, import_dir=BENCHES, env=env, seed=1)
    print(f"{simulator}: {result.cycles_per_second(PERIOD_NS):,.0f} cycles/s, {result.seconds:.0f} s")
    assert not result.failures, "\n".join(f"{case.name}: {case.message}" for case in result.failures)
    assert len(result.cases) == N_SCENES * len(SEEDS[simulator].split())

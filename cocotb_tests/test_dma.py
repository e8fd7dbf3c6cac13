"""Does the emitted Verilog of the DMA work on both simulators against a third party's AXI memory?"""

import shutil
from pathlib import Path

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.dma import DmaController
from moefetch.hw.emit import emit_verilog
from moefetch.sim.simulator import build, run

CONFIG = UNIT_PRESETS["tiny"].replace(outstanding=4, bus_bytes=16, slot_bytes=2048)
BENCHES = Path(__file__).parent
PERIOD_NS = 10


ALL = "", 13
RANDOM = "pressure.*16|survived|aborts", 7
"""The names of the tests that run, and how many they are."""


@pytest.mark.parametrize(
    ("simulator", "segments", "tests"), [("verilator", 1, ALL), ("icarus", 1, ALL), ("icarus", 4, RANDOM)]
)
def test_dma(simulator, segments, tests, tmp_path):
    if simulator == "icarus" and shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed (apt install iverilog)")
    config = CONFIG.replace(segments=segments)
    verilog = emit_verilog(DmaController(config=config), name="dma_controller", config=config, out_dir=tmp_path)
    cache = BENCHES.parent / "build" / "sim"
    built = build([verilog], top="dma_controller", cache_dir=cache, sim=simulator)
    names, count = tests
    env = {"DMA_CONFIG": config.model_dump_json(), "COCOTB_TEST_FILTER": names}
    result = run(built, "dma_bench", run_dir=tmp_path, import_dir=BENCHES, env=env, seed=1)
    print(f"{simulator}: {result.cycles_per_second(PERIOD_NS):,.0f} cycles/s")
    assert not result.failures, "\n".join(f"{case.name}: {case.message}" for case in result.failures)
    assert len(result.cases) == count

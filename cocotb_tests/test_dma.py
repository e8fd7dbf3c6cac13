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


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_dma(simulator, tmp_path):
    if simulator == "icarus" and shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed (apt install iverilog)")
    verilog = emit_verilog(DmaController(config=CONFIG), name="dma_controller", config=CONFIG, out_dir=tmp_path)
    cache = BENCHES.parent / "build" / "sim"
    built = build([verilog], top="dma_controller", cache_dir=cache, sim=simulator)
    result = run(
        built, "dma_bench", run_dir=tmp_path, import_dir=BENCHES, env={"DMA_CONFIG": CONFIG.model_dump_json()}, seed=1
    )
    print(f"{simulator}: {result.cycles_per_second(PERIOD_NS):,.0f} cycles/s")
    assert not result.failures, "\n".join(f"{case.name}: {case.message}" for case in result.failures)
    assert len(result.cases) == 13

"""Do single blocks behave as emitted Verilog as they do in Amaranth's simulator? One build for all of them."""

import shutil
from pathlib import Path

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.emit import emit_verilog
from moefetch.hw.event import EventIntake
from moefetch.hw.expert_sram import ExpertSram
from moefetch.hw.prefetch_queue import PrefetchQueue
from moefetch.hw.registers import RegisterBank
from moefetch.predictor_rtl.st_moe import StMoePredictor
from moefetch.sim.simulator import build, run

CONFIG = UNIT_PRESETS["tiny"].replace(
    max_experts=12, max_top_k=4, predictor_lanes=2, slots=12, banks=3, n_pe=3, scan_lanes=4, slot_bytes=64, bus_bytes=8,
    queue_depth=6, predictors=("st_moe",),
)  # fmt: skip
"""Nothing is a power of two that need not be, so that dividers and tables are emitted too."""
BENCHES = Path(__file__).parent
PERIOD_NS = 10
SEEDS = {"verilator": "1 2 3", "icarus": "1"}
N_TESTS = 6


class Blocks(wiring.Component):
    """Blocks side by side, each with its ports; only the intake looks its top-k up in the registers."""

    def __init__(self):
        self._blocks = {
            "registers": RegisterBank(config=CONFIG),
            "intake": EventIntake(config=CONFIG),
            "queue": PrefetchQueue(config=CONFIG),
            "sram": ExpertSram(config=CONFIG),
            "predictor": StMoePredictor(config=CONFIG),
        }
        look_up = {"registers": ("apply", "topk_layer", "topk_value"), "intake": ("topk_layer", "topk_value")}
        self._ports = {
            name: {
                port: member for port, member in block.signature.members.items() if port not in look_up.get(name, ())
            }
            for name, block in self._blocks.items()
        }
        super().__init__({name: Out(wiring.Signature(ports)) for name, ports in self._ports.items()})

    def elaborate(self, platform):
        m = Module()
        for name, block in self._blocks.items():
            m.submodules[name] = block
            for port, member in self._ports[name].items():
                self._join(m, member, getattr(block, port), getattr(getattr(self, name), port))
        registers, intake = self._blocks["registers"], self._blocks["intake"]
        m.d.comb += [
            registers.apply.eq(intake.apply),
            registers.topk_layer.eq(intake.topk_layer),
            intake.topk_value.eq(registers.topk_value),
        ]
        return m

    @staticmethod
    def _join(m, member, inner, outer):
        if member.is_signature:
            for inside, outside in zip(inner, outer, strict=True) if member.dimensions else [(inner, outer)]:
                connect(m, inside, flipped(outside))
        elif member.flow is Out:
            m.d.comb += outer.eq(inner)
        else:
            m.d.comb += inner.eq(outer)


@pytest.mark.parametrize("simulator", SEEDS)
def test_blocks(simulator, tmp_path):
    if simulator == "icarus" and shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed (apt install iverilog)")
    verilog = emit_verilog(Blocks(), name="blocks", config=CONFIG, out_dir=tmp_path)
    cache = BENCHES.parent / "build" / "sim"
    built = build([verilog], top="blocks", cache_dir=cache, sim=simulator)
    env = {
        "BLOCKS_CONFIG": CONFIG.model_dump_json(),
        "BLOCKS_SEEDS": SEEDS[simulator],
        "BLOCKS_SIDECAR": str(verilog.with_suffix(".json")),
    }
    result = run(built, "blocks_bench", run_dir=tmp_path, import_dir=BENCHES, env=env, seed=1)
    print(f"{simulator}: {result.cycles_per_second(PERIOD_NS):,.0f} cycles/s, {result.seconds:.0f} s")
    assert not result.failures, "\n".join(f"{case.name}: {case.message}" for case in result.failures)
    assert len(result.cases) == N_TESTS * len(SEEDS[simulator].split())

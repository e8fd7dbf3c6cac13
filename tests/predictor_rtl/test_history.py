"""Does the history table hold a set for each layer, and nothing where it is void?"""

from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.history import HistoryTable

from .bench import make_rng

CONFIG = UNIT_PRESETS["tiny"].replace(max_layers=5, max_experts=9)


def test_random_writes_reads_and_clears():
    dut = HistoryTable(config=CONFIG)
    rng = make_rng(11)
    model = {}

    async def testbench(ctx):
        for _ in range(400):
            clear, write = rng.random() < 0.05, rng.random() < 0.4
            layer, experts, asked = rng.randrange(5), rng.randrange(1 << 9), rng.randrange(5)
            ctx.set(dut.clear, clear)
            ctx.set(dut.write, write and not clear)
            ctx.set(dut.write_layer, layer)
            ctx.set(dut.write_experts, experts)
            ctx.set(dut.read_layer, asked)
            before = model.get(asked, 0)
            await ctx.tick()
            assert ctx.get(dut.experts) == before
            if clear:
                model.clear()
            elif write:
                model[layer] = experts

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()

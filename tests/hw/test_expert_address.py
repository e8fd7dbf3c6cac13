"""Is an expert's address base + layer * layer_stride + expert * expert_stride, three cycles after the key?"""

import random

from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.expert_address import ExpertAddress

CONFIG = UNIT_PRESETS["default"]


def test_latency_and_one_key_a_cycle():
    print("seed 1")
    rng = random.Random(1)
    dut = ExpertAddress(config=CONFIG)
    settings = {"base": 0xFFFF_0000_0000_1000, "layer_stride": (1 << 48) - 4096, "expert_stride": (1 << 32) - 4096}
    keys = [(rng.randrange(CONFIG.max_layers), rng.randrange(CONFIG.max_experts)) for _ in range(300)]
    keys[0] = (CONFIG.max_layers - 1, CONFIG.max_experts - 1)

    def expected(key):
        layer, expert = key
        offset = layer * settings["layer_stride"] + expert * settings["expert_stride"]
        return (settings["base"] + offset) % (1 << 64)

    async def bench(ctx):
        for name, value in settings.items():
            ctx.set(dut.settings[name], value)
        found = []
        for layer, expert in keys:
            ctx.set(dut.key, {"layer": layer, "expert": expert})
            found.append((await ctx.tick().sample(dut.address))[-1])
        for cycle, key in enumerate(keys[: -dut.latency]):
            assert found[cycle + dut.latency] == expected(key)
            if cycle > dut.latency and expected(key) != expected(keys[cycle - 1]):
                assert found[cycle + dut.latency - 1] != expected(key), "n - 1"

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert dut.latency == 3

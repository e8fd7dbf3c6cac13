"""Does the score board add up, saturate, and find a level's experts?"""

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.score_board import ScoreBoard

from .bench import make_rng


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_random_loads_and_additions(lanes):
    config = UNIT_PRESETS["tiny"].replace(max_experts=11, max_top_k=4, predictor_lanes=lanes)
    dut = ScoreBoard(config=config)
    rng = make_rng(lanes)
    scores = [0] * 11

    async def testbench(ctx):
        saturated = False
        for _ in range(1500):
            load, add = rng.random() < 0.004, rng.random() < 0.9
            history = rng.randrange(1 << 11)
            entries = [(rng.choice([3, 3, 3, rng.randrange(11)]), rng.randrange(4)) for _ in range(lanes)]
            ctx.set(dut.load, load)
            ctx.set(dut.history, history)
            ctx.set(dut.add, add)
            ctx.set(dut.lanes, [{"expert": expert, "confidence": gain} for expert, gain in entries])
            await ctx.tick()
            if load:
                scores[:] = [2 * (history >> expert & 1) for expert in range(11)]
            elif add:
                for expert, gain in entries:
                    scores[expert] = min(scores[expert] + gain, 255)
            saturated |= 255 in scores
            level = rng.choice(scores)
            ctx.set(dut.level, level)
            assert ctx.get(dut.matched) == sum((score == level) << expert for expert, score in enumerate(scores))
            ceiling = ctx.get(dut.ceiling)
            assert max(scores) <= ceiling <= 2 * max(scores)
        assert saturated

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()

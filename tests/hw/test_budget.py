"""Does the budget counter count each coming event apart and start anew when one closes?"""

import random

import pytest
from moefetch.hw.budget import BudgetCounter
from moefetch.hw.config import UNIT_PRESETS

from .clocked import run_clocked

TINY = UNIT_PRESETS["tiny"]


def simulate(config, testbench):
    run_clocked(BudgetCounter(config=config), testbench)


@pytest.mark.parametrize("horizon", [1, 2, 8])
def test_random_counts_match_a_dictionary(horizon):
    seed = horizon
    print(f"seed {seed}")
    rng = random.Random(seed)

    async def bench(ctx, dut):
        counts = {}
        current = 2**32 - 50
        for _ in range(2000):
            target = current + rng.randint(1, horizon)
            budget = rng.choice((0, 1, 3, 8))
            ctx.set(dut.target, target % 2**32)
            ctx.set(dut.budget, budget)
            for _ in range(rng.randint(2, 3)):  # what was counted before shows
                await ctx.tick()
            exhausted = counts.get(target, 0) >= budget
            assert ctx.get(dut.exhausted) == exhausted
            close = rng.random() < 0.1
            count_up = not exhausted and not close and rng.random() < 0.7
            ctx.set(dut.count_up, count_up)
            ctx.set(dut.close, close)
            ctx.set(dut.number, (current + 1) % 2**32)
            await ctx.tick()
            for pulse in (dut.count_up, dut.close):
                ctx.set(pulse, 0)
            counts[target] = counts.get(target, 0) + count_up
            current += close

    simulate(TINY.replace(horizon=horizon), bench)


def test_latency():
    async def bench(ctx, dut):
        ctx.set(dut.target, 6)
        ctx.set(dut.budget, 1)
        await ctx.tick()
        ctx.set(dut.count_up, 1)
        for _ in range(dut.latency):
            assert not ctx.get(dut.exhausted), "n - 1"
            await ctx.tick()
            ctx.set(dut.count_up, 0)
        assert ctx.get(dut.exhausted), "n"

    simulate(TINY, bench)

"""Does the watchdog expire after exactly so many cycles without progress?"""

import random

import pytest
from moefetch.hw.watchdog import Watchdog

from .clocked import run_clocked


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_it_expires_at_the_limit_and_starts_over(limit):
    async def testbench(ctx, dut):
        ctx.set(dut.limit, limit)
        ctx.set(dut.waits, 1)
        for _ in range(3):
            for _ in range(limit):
                assert not ctx.get(dut.expired), "n - 1"
                await ctx.tick()
            assert ctx.get(dut.expired), "n"
            await ctx.tick()

    run_clocked(Watchdog(), testbench)


def test_random_progress_and_limits():
    rng = random.Random(5)

    async def testbench(ctx, dut):
        stuck, expected = 0, 0
        for _ in range(3000):
            waits, progress = rng.random() < 0.95, rng.random() < 0.15
            limit = rng.choice((0, 3, 5)) if rng.random() < 0.02 else ctx.get(dut.limit)
            for name, value in (("waits", waits), ("progress", progress), ("limit", limit)):
                ctx.set(getattr(dut, name), value)
            assert ctx.get(dut.expired) == expected
            stuck = stuck + 1 if waits and not progress and limit and not expected else 0
            expected = limit > 0 and stuck >= limit
            await ctx.tick()

    run_clocked(Watchdog(), testbench)

"""Does each slot's count say what a comparison of event numbers would?"""

import random

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.events_ahead import EventsAhead

from .clocked import run_clocked


@pytest.mark.parametrize("horizon", [1, 2, 8])
def test_random_stamps_and_closes_match_the_numbers(horizon):
    seed = horizon
    print(f"seed {seed}")
    rng = random.Random(seed)
    config = UNIT_PRESETS["tiny"].replace(horizon=horizon)

    async def bench(ctx, dut):
        current = 2**32 - 60  # passes the wrap of event numbers on the way
        stamps = [0] * config.slots
        for _ in range(600):
            closing = rng.random() < 0.2
            write = not closing and rng.random() < 0.7
            slot, stamp = rng.randrange(config.slots), current + rng.randint(-5, horizon)
            for signal, value in (
                (dut.write, write), (dut.slot, slot), (dut.stamp, stamp % 2**32), (dut.closing, closing),
                (dut.current, current % 2**32),
            ):  # fmt: skip
                ctx.set(signal, value)
            await ctx.tick()
            if write:
                stamps[slot] = stamp
            current += closing
            assert list(ctx.get(dut.ahead)) == [max(stamp - current, 0) for stamp in stamps]

    run_clocked(EventsAhead(config=config), bench)

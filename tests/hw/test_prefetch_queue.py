"""Does the prefetch queue keep its order, refuse duplicates and drop the right entry, one cycle later?"""

import bisect
import random

import pytest
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.prefetch_queue import PrefetchQueue

from .clocked import run_clocked

TINY = UNIT_PRESETS["tiny"]
FIELDS = ("deadline", "layer", "expert", "score", "source")


def order(entry):
    return entry["deadline"], -entry["score"], entry["expert"]


def same_expert(left, right):
    return (left["layer"], left["expert"]) == (right["layer"], right["expert"])


def simulate(config, testbench):
    run_clocked(PrefetchQueue(config=config), testbench)


def offer(ctx, dut, entry, *, valid=1):
    wrapped = {**entry, "deadline": entry["deadline"] % 2**32}
    ctx.set(dut.insert.entry, wrapped)
    ctx.set(dut.insert.valid, valid)
    ctx.set(dut.inserting, valid)


def check_state(ctx, dut, queued):
    assert ctx.get(dut.level) == len(queued)
    assert ctx.get(dut.head.valid) == bool(queued)
    if queued:
        head = {name: ctx.get(dut.head.entry[name]) for name in FIELDS}
        assert head == {**queued[0], "deadline": queued[0]["deadline"] % 2**32}


def check_answers(ctx, dut, entry, queued, depth):
    """Compare the answers to an offered entry with a sorted list's; return whether it is queued already."""
    found = any(same_expert(entry, other) for other in queued)
    full = len(queued) == depth
    last = full and order(entry) >= order(queued[-1])
    assert ctx.get(dut.found) == found
    assert ctx.get(dut.full_drop_self) == (full and last and not found)
    assert ctx.get(dut.drop_last) == (full and not last and not found)
    return found


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("spread", [3, 120])
@pytest.mark.parametrize("depth", [2, 4, 7, 32])
def test_random_operations_match_a_sorted_list(depth, spread, seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    config = TINY.replace(queue_depth=depth) if depth < 32 else UnitConfig()

    async def bench(ctx, dut):
        current = 2**32 - 200  # passes the wrap of event numbers on the way
        queued = []
        for _ in range(1500):
            if not queued or queued[0]["deadline"] > current - 5:
                current += rng.random() < 0.3
            ctx.set(dut.current, current % 2**32)
            entry = {
                "deadline": current + rng.randint(1, spread),
                "layer": rng.randrange(config.max_layers),
                "expert": rng.randrange(config.max_experts),
                "score": rng.choice((0, 1, 2, 128, 255)),
                "source": rng.randrange(2),
            }
            action = rng.choices(("insert", "offer", "pop", "flush"), (60, 10, 29, 1))[0]
            offer(ctx, dut, entry, valid=0)
            ctx.set(dut.pop, 0)
            ctx.set(dut.flush, 0)
            await ctx.tick()
            offer(ctx, dut, entry, valid=action == "insert")
            ctx.set(dut.pop, action == "pop")
            ctx.set(dut.flush, action == "flush")
            found = check_answers(ctx, dut, entry, queued, depth)
            check_state(ctx, dut, queued)
            await ctx.tick()
            if action == "insert" and not found:
                bisect.insort_right(queued, entry, key=order)
                del queued[depth:]
            elif action == "pop":
                del queued[:1]
            elif action == "flush":
                queued.clear()
            check_state(ctx, dut, queued)

    simulate(config, bench)


def test_latency_and_deadlines_127_apart():
    async def bench(ctx, dut):
        ctx.set(dut.current, 1000)
        far = {"deadline": 1127, "layer": 1, "expert": 2, "score": 9, "source": 1}
        near = {"deadline": 1000, "layer": 2, "expert": 3, "score": 0, "source": 0}
        offer(ctx, dut, far, valid=0)
        await ctx.tick()
        offer(ctx, dut, far)
        for _ in range(dut.latency):
            assert not ctx.get(dut.head.valid), "n - 1"
            await ctx.tick()
        check_state(ctx, dut, [far])
        offer(ctx, dut, far, valid=0)
        await ctx.tick()
        assert ctx.get(dut.found), "n"
        offer(ctx, dut, near, valid=0)
        await ctx.tick()
        offer(ctx, dut, near)
        await ctx.tick()
        check_state(ctx, dut, [near, far])

    simulate(TINY, bench)

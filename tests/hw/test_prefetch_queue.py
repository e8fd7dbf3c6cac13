"""Does the prefetch queue keep its order, refuse duplicates and drop the right entry, one cycle later?

The queue is used by its rule: an entry stays for the cycle after its insertion, in which nothing is popped, and none
is asked about in the cycle after a pop.
"""

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


def check_state(ctx, dut, queued, current):
    assert ctx.get(dut.level) == len(queued)
    assert ctx.get(dut.head.valid) == bool(queued)
    if queued:
        head = {name: ctx.get(dut.head.entry[name]) for name in FIELDS}
        assert head == {**queued[0], "deadline": queued[0]["deadline"] % 2**32}
        assert ctx.get(dut.due) == (queued[0]["deadline"] <= current)


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
            flushed_at_once = rng.random() < 0.02
            offer(ctx, dut, entry, valid=0)
            ctx.set(dut.pop, 0)
            ctx.set(dut.flush, 0)
            await ctx.tick()
            offer(ctx, dut, entry, valid=action == "insert")
            ctx.set(dut.pop, action == "pop")
            ctx.set(dut.flush, action == "flush")
            found = check_answers(ctx, dut, entry, queued, depth)
            check_state(ctx, dut, queued, current)
            await ctx.tick()
            if action == "insert" and not found:
                bisect.insort_right(queued, entry, key=order)
                del queued[depth:]
            elif action == "pop":
                del queued[:1]
            elif action == "flush":
                queued.clear()
            check_state(ctx, dut, queued, current)
            while action in ("insert", "pop"):
                pops_again = action == "pop" and rng.random() < 0.5
                offer(ctx, dut, entry, valid=0)
                ctx.set(dut.pop, pops_again)
                ctx.set(dut.flush, flushed_at_once)
                await ctx.tick()
                if flushed_at_once:
                    queued.clear()
                elif pops_again:
                    del queued[:1]
                check_state(ctx, dut, queued, current)
                if not pops_again:
                    break

    simulate(config, bench)


def test_latency_and_deadlines_127_apart():
    async def bench(ctx, dut):
        ctx.set(dut.current, 1000)
        near = {"deadline": 1001, "layer": 2, "expert": 3, "score": 0, "source": 0}
        far = {"deadline": 1128, "layer": 1, "expert": 2, "score": 9, "source": 1}
        best = {"deadline": 1001, "layer": 0, "expert": 1, "score": 9, "source": 0}
        offer(ctx, dut, near, valid=0)
        await ctx.tick()
        offer(ctx, dut, near)
        for _ in range(dut.latency):
            assert not ctx.get(dut.head.valid), "n - 1"
            await ctx.tick()
        check_state(ctx, dut, [near], 1000)
        offer(ctx, dut, near, valid=0)
        await ctx.tick()
        check_state(ctx, dut, [near], 1000)
        await ctx.tick()
        assert ctx.get(dut.found), "n + 1"
        for entry, queued in ((far, [near, far]), (best, [best, near, far])):
            offer(ctx, dut, entry, valid=0)
            await ctx.tick()
            offer(ctx, dut, entry)
            await ctx.tick()
            check_state(ctx, dut, queued, 1000)
            offer(ctx, dut, entry, valid=0)
            await ctx.tick()
            check_state(ctx, dut, queued, 1000)
        ctx.set(dut.current, 1001)
        for queued in ([best, near, far], [near, far], [far]):
            check_state(ctx, dut, queued, 1001)
            ctx.set(dut.pop, 1)
            await ctx.tick()
        check_state(ctx, dut, [], 1001)

    simulate(TINY, bench)

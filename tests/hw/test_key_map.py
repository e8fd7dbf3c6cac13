"""Does the key map return each key's last slot a cycle later?"""

import random

import pytest
from amaranth.hdl import Value
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.key_map import KeyMap

from .clocked import run_clocked

TINY = UNIT_PRESETS["tiny"]


async def enter_four(ctx, dut):
    """Enter the first four experts of layer 0, each one slot on from its own number."""
    for expert in range(4):
        ctx.set(dut.key, {"layer": 0, "expert": expert})
        ctx.set(dut.slot, expert + 1)
        ctx.set(dut.enter, 1)
        await ctx.tick()
    ctx.set(dut.enter, 0)


@pytest.mark.parametrize(("layers", "experts"), [(4, 8), (3, 2), (1, 2), (5, 3)])
def test_entries_and_look_ups_of_every_cycle(layers, experts):
    print("seed 1")
    rng = random.Random(1)
    config = TINY.replace(max_layers=layers, max_experts=experts, max_top_k=1)
    keys = [(layer, expert) for layer in range(layers) for expert in range(experts)]
    slots = {}

    async def bench(ctx, dut):
        for _ in range(400):
            (layer, expert), wanted = rng.choice(keys), rng.choice(keys)
            enters, slot = rng.random() < 0.5, rng.randrange(config.slots)
            ctx.set(dut.find, {"layer": wanted[0], "expert": wanted[1]})
            ctx.set(dut.key, {"layer": layer, "expert": expert})
            ctx.set(dut.slot, slot)
            ctx.set(dut.enter, enters)
            expected = slots.get(wanted, 0)
            await ctx.tick()
            assert ctx.get(dut.found) == expected
            if enters:
                slots[layer, expert] = slot

    run_clocked(KeyMap(config=config), bench)
    assert len(slots) == len(keys)


def test_the_answer_does_not_follow_the_next_look_up():
    """What is on `found` is of the cycle before, whatever is looked up in the next one."""

    async def bench(ctx, dut):
        await enter_four(ctx, dut)
        for expert in (3, 0, 2, 1):
            ctx.set(dut.find, {"layer": 0, "expert": expert})
            await ctx.tick()
            ctx.set(dut.find, {"layer": 0, "expert": expert ^ 1})
            await ctx.delay(1e-9)
            assert ctx.get(dut.found) == expert + 1

    run_clocked(KeyMap(config=TINY), bench)


def test_parity_tells_a_changed_word_of_a_row_and_no_other():
    async def bench(ctx, dut):
        await enter_four(ctx, dut)
        row = Value.cast(dut.contents[1])
        ctx.set(row, ctx.get(row) ^ 1)
        for expert, wrong in ((0, 0), (1, 0), (2, 1), (3, 0)):
            ctx.set(dut.find, {"layer": 0, "expert": expert})
            await ctx.tick()
            assert ctx.get(dut.wrong) == wrong

    run_clocked(KeyMap(config=TINY.replace(parity=True)), bench)

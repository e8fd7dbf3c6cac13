"""Does the weight table answer its engine and its port in their cycles, and change only what is written?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.weight_table import WeightTable

from ..hw.clocked import run_clocked

CONFIG = UNIT_PRESETS["tiny"].replace(max_experts=16, weight_lanes=8, weight_bits=5, weight_sources=((1, 0), (0, 1)))
PLACE = {"layer": 2, "source": 1, "expert": 9, "group": 1}


async def access(ctx, dut, quad, data=None):
    """Return what the port reads, and the cycles from request to `done`."""
    for name, value in (("layer", 2), ("source", 1), ("row", 9), ("quad", quad)):
        ctx.set(getattr(dut.port, name), value)
    ctx.set(dut.port.write, data is not None)
    ctx.set(dut.port.data, data or 0)
    ctx.set(dut.port.request, 1)
    cycles = 0
    while not ctx.get(dut.port.done):
        await ctx.tick()
        cycles += 1
        assert cycles < 50
    found = ctx.get(dut.port.read_data)
    await ctx.tick()
    ctx.set(dut.port.request, 0)
    return found, cycles


def test_the_engine_reads_what_it_wrote_after_three_cycles_and_not_before():
    async def testbench(ctx, dut):
        ctx.set(dut.write_address, PLACE)
        ctx.set(dut.write_word, 0x5A5A5A5A5A)
        ctx.set(dut.write, 1)
        await ctx.tick()
        ctx.set(dut.write, 0)
        ctx.set(dut.read_address, PLACE)
        for cycle in range(1, WeightTable.latency + 1):
            await ctx.tick()
            assert (ctx.get(dut.word) == 0x5A5A5A5A5A) == (cycle == WeightTable.latency), cycle
        ctx.set(dut.read_address, PLACE | {"group": 0})
        await ctx.tick().repeat(3)
        assert ctx.get(dut.word) == 0

    run_clocked(WeightTable(config=CONFIG), testbench)


def test_the_port_moves_four_signed_weights_of_a_row():
    """Quads 2 and 3 are word 1 of the row; the sign comes back in all eight bits."""

    async def testbench(ctx, dut):
        ctx.set(dut.unlocked, 1)
        _, cycles = await access(ctx, dut, 3, 0x0FF0FF01)  # 15, -16, -1, 1
        assert cycles == WeightTable.port_latency
        await access(ctx, dut, 2, 0x04030201)
        assert (await access(ctx, dut, 3))[0] == 0x0FF0FF01
        assert (await access(ctx, dut, 2))[0] == 0x04030201
        assert (await access(ctx, dut, 0))[0] == 0
        ctx.set(dut.unlocked, 0)
        ctx.set(dut.read_address, PLACE)
        await ctx.tick().repeat(WeightTable.latency)
        weights = [ctx.get(dut.word) >> 5 * lane & 31 for lane in range(8)]
        assert weights == [1, 2, 3, 4, 1, 31, 16, 15]

    run_clocked(WeightTable(config=CONFIG), testbench)


@pytest.mark.parametrize("wait", [0, 3])
def test_a_locked_port_waits_and_one_begun_ends(wait):
    async def testbench(ctx, dut):
        ctx.set(dut.port.request, 1)
        await ctx.tick().repeat(8)
        assert not ctx.get(dut.port.done) and not ctx.get(dut.port_busy)
        ctx.set(dut.unlocked, 1)
        await ctx.tick()
        ctx.set(dut.unlocked, 0)
        for cycle in range(1, WeightTable.port_latency + 1):
            assert ctx.get(dut.port_busy)
            assert ctx.get(dut.port.done) == (cycle == WeightTable.port_latency)
            await ctx.tick()
        for _ in range(wait):
            await ctx.tick()
        assert not ctx.get(dut.port_busy)

    run_clocked(WeightTable(config=CONFIG), testbench)


def test_a_word_with_a_flipped_bit_reads_as_nothing_learnt():
    """Each of its bits, the parity bit too; a write makes it right again, with the weights beside it 0."""
    config = CONFIG.replace(parity=True)
    dut = WeightTable(config=config)
    width = 8 * 5 + 1

    async def testbench(ctx, dut):
        ctx.set(dut.unlocked, 1)
        for bit in range(width):
            await access(ctx, dut, 2, 0x04030201)
            await access(ctx, dut, 3, 0x08070605)
            place = next(row for row in range(dut.contents.depth) if ctx.get(dut.contents[row]))
            ctx.set(dut.contents[place], ctx.get(dut.contents[place]) ^ 1 << bit)
            ctx.set(dut.read_address, PLACE)
            await ctx.tick().repeat(WeightTable.latency)
            assert ctx.get(dut.wrong) and ctx.get(dut.word) == 0
            assert (await access(ctx, dut, 3))[0] == 0
            await access(ctx, dut, 3, 0x08070605)
            assert [(await access(ctx, dut, quad))[0] for quad in (2, 3)] == [0, 0x08070605]
            assert not ctx.get(dut.wrong)

    run_clocked(dut, testbench)

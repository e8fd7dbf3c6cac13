"""Does the row list keep two predictions apart, and follow its ports in a cycle?"""

from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.weight_rows import RowList

from ..hw.clocked import run_clocked

CONFIG = UNIT_PRESETS["tiny"].replace(weight_sources=((1, 0), (0, 1)))


async def add(ctx, dut, rows, *, clear):
    for index, (source, expert) in enumerate(rows):
        ctx.set(dut.clear, clear and index == 0)
        ctx.set(dut.row, {"source": source, "expert": expert})
        ctx.set(dut.add, 1)
        await ctx.tick()
    ctx.set(dut.add, 0)
    ctx.set(dut.clear, 0)


async def read(ctx, dut, count, *, older):
    found = []
    ctx.set(dut.read_older, older)
    for index in range(count):
        ctx.set(dut.read_index, index)
        await ctx.tick()
        row = ctx.get(dut.read_row)
        found.append((row.source, row.expert))
    return found


def test_two_lists_change_places():
    dut = RowList(config=CONFIG)
    first, second = [(0, 3), (1, 3), (1, 7)], [(1, 0), (0, 6)]

    async def testbench(ctx, _):
        await add(ctx, dut, first, clear=True)
        assert ctx.get(dut.count) == 3
        assert await read(ctx, dut, 3, older=0) == first
        ctx.set(dut.swap, 1)
        await ctx.tick()
        ctx.set(dut.swap, 0)
        assert ctx.get(dut.older_count) == 3
        await add(ctx, dut, second, clear=True)
        assert ctx.get(dut.count) == 2
        assert await read(ctx, dut, 2, older=0) == second
        assert await read(ctx, dut, 3, older=1) == first
        ctx.set(dut.clear, 1)
        await ctx.tick()
        assert ctx.get(dut.count) == 0

    run_clocked(dut, testbench)


def test_it_holds_every_expert_of_every_source_twice():
    dut = RowList(config=CONFIG)
    rows = [(source, expert) for source in range(2) for expert in range(8)]

    async def testbench(ctx, _):
        await add(ctx, dut, rows, clear=True)
        ctx.set(dut.swap, 1)
        await ctx.tick()
        ctx.set(dut.swap, 0)
        await add(ctx, dut, rows[::-1], clear=True)
        assert await read(ctx, dut, 16, older=1) == rows
        assert await read(ctx, dut, 16, older=0) == rows[::-1]

    run_clocked(dut, testbench)

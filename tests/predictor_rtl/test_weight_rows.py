"""Does the row list keep two predictions apart, and follow its ports in a cycle?"""

from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.weight_rows import RowList

from ..hw.clocked import run_clocked

CONFIG = UNIT_PRESETS["tiny"].replace(weight_sources=((1, 0), (0, 1)))
AHEAD = CONFIG.replace(weight_sources=((2, 0), (0, 1)), weight_ahead=2)


async def add(ctx, dut, rows, *, clear):
    for index, (source, expert) in enumerate(rows):
        ctx.set(dut.clear, clear and index == 0)
        ctx.set(dut.row, {"source": source, "expert": expert})
        ctx.set(dut.add, 1)
        await ctx.tick()
    ctx.set(dut.add, 0)
    ctx.set(dut.clear, 0)


async def read(ctx, dut, count, *, oldest):
    found = []
    ctx.set(dut.read_oldest, oldest)
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
        assert await read(ctx, dut, 3, oldest=0) == first
        ctx.set(dut.swap, 1)
        await ctx.tick()
        ctx.set(dut.swap, 0)
        assert ctx.get(dut.oldest_count) == 3
        await add(ctx, dut, second, clear=True)
        assert ctx.get(dut.count) == 2
        assert await read(ctx, dut, 2, oldest=0) == second
        assert await read(ctx, dut, 3, oldest=1) == first
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
        assert await read(ctx, dut, 16, oldest=1) == rows
        assert await read(ctx, dut, 16, oldest=0) == rows[::-1]

    run_clocked(dut, testbench)


def test_three_lists_two_events_ahead():
    """What was listed first is the oldest after two swaps, and gives its place to the fourth list."""
    dut = RowList(config=AHEAD)
    lists = [[(0, n), (1, n)] if n % 2 else [(1, n)] for n in range(7)]

    async def testbench(ctx, _):
        for number, rows in enumerate(lists):
            await add(ctx, dut, rows, clear=True)
            assert await read(ctx, dut, len(rows), oldest=0) == rows
            if number >= 2:
                oldest = lists[number - 2]
                assert ctx.get(dut.oldest_count) == len(oldest)
                assert await read(ctx, dut, len(oldest), oldest=1) == oldest
            ctx.set(dut.swap, 1)
            await ctx.tick()
            ctx.set(dut.swap, 0)

    run_clocked(dut, testbench)

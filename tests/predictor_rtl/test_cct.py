"""Does the correlation table keep its entries, start cold, and answer after two cycles?"""

from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.cct import CorrelationTable

from .bench import make_rng

CONFIG = UNIT_PRESETS["tiny"].replace(max_layers=3, max_experts=6, max_top_k=4)


def run(testbench):
    dut = CorrelationTable(config=CONFIG)
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)

    async def body(ctx):
        await testbench(ctx, dut)

    simulator.add_testbench(body)
    simulator.run()


async def table_write(ctx, dut, layer, row, entry, expert, confidence):
    table = dut.table
    for port, value in ((table.layer, layer), (table.row, row), (table.entry, entry)):
        ctx.set(port, value)
    ctx.set(table.expert, expert)
    ctx.set(table.confidence, confidence)
    ctx.set(table.write, 1)
    await ctx.tick()
    ctx.set(table.write, 0)


async def table_read(ctx, dut, layer, row, entry):
    table = dut.table
    for port, value in ((table.layer, layer), (table.row, row), (table.entry, entry)):
        ctx.set(port, value)
    ctx.set(table.read, 1)
    await ctx.tick()
    ctx.set(table.read, 0)
    await ctx.tick()
    return ctx.get(table.read_expert), ctx.get(table.read_confidence)


def test_every_entry_is_cold_and_apart_from_the_others():
    rng = make_rng(3)
    cells = [(layer, row, entry) for layer in range(3) for row in range(6) for entry in range(4)]
    model = {(layer, row, entry): (entry, 0) for layer, row, entry in cells}

    async def testbench(ctx, dut):
        ctx.set(dut.unlocked, 1)
        assert ctx.get(dut.table.ready)
        assert dut.contents.depth == 3 * 8
        for _ in range(200):
            cell = rng.choice(cells)
            if rng.random() < 0.5:
                model[cell] = rng.randrange(6), rng.randrange(4)
                await table_write(ctx, dut, *cell, *model[cell])
            else:
                assert await table_read(ctx, dut, *cell) == model[cell], cell
        for cell in cells:
            assert await table_read(ctx, dut, *cell) == model[cell], cell

    run(testbench)


def test_read_answers_after_two_cycles_not_after_one():
    async def testbench(ctx, dut):
        ctx.set(dut.unlocked, 1)
        await table_write(ctx, dut, 1, 2, 3, 5, 3)
        await table_read(ctx, dut, 0, 0, 0)
        ctx.set(dut.table.layer, 1)
        ctx.set(dut.table.row, 2)
        ctx.set(dut.table.entry, 3)
        ctx.set(dut.table.read, 1)
        await ctx.tick()
        ctx.set(dut.table.read, 0)
        ctx.set(dut.table.row, 0)
        assert ctx.get(dut.table.read_expert) == 0
        await ctx.tick()
        assert ctx.get(dut.table.read_expert) == 5
        await ctx.tick().repeat(5)
        assert (ctx.get(dut.table.read_expert), ctx.get(dut.table.read_confidence)) == (5, 3)

    run(testbench)


def test_engine_owns_the_memory_while_locked():
    """The table port's write does not count; the engine's row comes `latency` cycles after its address."""
    row = [{"expert": 4 - index, "confidence": index} for index in range(4)]

    async def testbench(ctx, dut):
        assert not ctx.get(dut.table.ready)
        ctx.set(dut.write_layer, 2)
        ctx.set(dut.write_expert, 5)
        ctx.set(dut.write_row, row)
        ctx.set(dut.write, 1)
        await table_write(ctx, dut, 2, 5, 1, 0, 0)
        ctx.set(dut.write, 0)
        ctx.set(dut.read_layer, 2)
        ctx.set(dut.read_expert, 5)
        for _ in range(dut.latency):
            assert ctx.get(dut.row[0].expert) != 4
            await ctx.tick()
        assert [{"expert": entry.expert, "confidence": entry.confidence} for entry in ctx.get(dut.row)] == row
        ctx.set(dut.unlocked, 1)
        ctx.set(dut.write, 1)
        await ctx.tick()
        assert await table_read(ctx, dut, 2, 5, 1) == (3, 1)

    run(testbench)

"""Does the walk list each source's members once, leave out void ones, and take the cycles that it says?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.weight_context import WeightContext

from ..hw.clocked import run_clocked

CONFIG = UNIT_PRESETS["tiny"].replace(max_layers=6, weight_sources=((1, 0), (3, 0), (0, 1), (2, 0)))


class Bench:
    """Stores events and walks."""

    def __init__(self, ctx, dut, n_layers):
        self.ctx, self.dut = ctx, dut
        ctx.set(self.dut.n_layers, n_layers)

    async def store(self, layer, members, *, clear=False):
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.layer, layer)
        for index, expert in enumerate(members or [0]):
            ctx.set(dut.clear, clear and index == 0)
            ctx.set(dut.first, index == 0)
            ctx.set(dut.add, bool(members))
            ctx.set(dut.expert, expert)
            ctx.set(dut.store, 1)
            await ctx.tick()
        ctx.set(dut.store, 0)
        ctx.set(dut.clear, 0)

    async def walk(self, target, current):
        """Return the rows as {(source, expert)} in a list, and the cycles of `busy`."""
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.target, target)
        ctx.set(dut.current, current)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        rows, cycles = [], 0
        while ctx.get(dut.busy):
            if ctx.get(dut.row_valid):
                rows.append((ctx.get(dut.row.source), ctx.get(dut.row.expert)))
            cycles += 1
            await ctx.tick()
        assert not ctx.get(dut.row_valid)
        return sorted(rows), cycles


def run(testbench, n_layers, config=CONFIG):
    async def main(ctx, dut):
        await testbench(Bench(ctx, dut, n_layers))

    run_clocked(WeightContext(config=config), main)


def test_sources_are_the_latest_events_of_their_layers():
    async def testbench(bench):
        for layer in range(5):
            await bench.store(layer, [layer, layer + 1])
        await bench.store(2, [7])
        rows, cycles = await bench.walk(4, 3)
        assert rows == [(1, 1), (1, 2), (2, 4), (2, 5), (3, 7)]
        assert cycles == bench.dut.latency([2, 1, 2])
        rows, _ = await bench.walk(0, 4)
        assert rows == [(1, 7), (2, 0), (2, 1), (3, 3), (3, 4)], "layers form a ring"

    run(testbench, 5)


def test_void_layers_empty_events_and_the_events_own_layer_are_left_out():
    async def testbench(bench):
        rows, cycles = await bench.walk(1, 0)
        assert rows == [] and cycles == bench.dut.latency([0, 0, 0])
        await bench.store(1, [1])
        await bench.store(2, [])
        assert (await bench.walk(2, 1))[0] == [], "layer 2 - 3 is layer 2, which was empty; 2 - 2 is void"
        await bench.store(2, [3, 4])
        assert (await bench.walk(2, 1))[0] == [(1, 3), (1, 4), (2, 3), (2, 4)]
        assert (await bench.walk(2, 2))[0] == []
        await bench.store(0, [5], clear=True)
        assert (await bench.walk(0, 2))[0] == [(1, 5), (2, 5)], "the stored layer is not void"

    run(testbench, 3)


@pytest.mark.parametrize("members", [1, 8])
def test_a_source_of_any_size(members):
    config = CONFIG.replace(weight_sources=((1, 0), (0, 1)))

    async def testbench(bench):
        await bench.store(1, list(range(members)))
        rows, cycles = await bench.walk(1, 0)
        assert rows == [(1, expert) for expert in range(members)]
        assert cycles == bench.dut.latency([members])

    run(testbench, 4, config)


def test_without_other_sources_nothing_is_listed():
    async def testbench(bench):
        await bench.store(1, [1, 2])
        assert (await bench.walk(1, 0)) == ([], bench.dut.latency([]))

    run(testbench, 4, CONFIG.replace(weight_sources=((1, 0),)))

"""Does the engine sum and teach what a few lines of Python do, in the cycles that it says?"""

import numpy as np
import pytest
from amaranth.hdl import Module, Mux
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.weight_engine import WeightEngine
from moefetch.predictor_rtl.weight_rows import RowList
from moefetch.predictor_rtl.weight_table import WeightTable

from .bench import make_rng

SOURCES = ((1, 0), (2, 0), (0, 1))


class Bench:
    """Engine, rows and table; `tables` is what it must hold."""

    def __init__(self, lanes, bits, n_experts):
        self.config = UNIT_PRESETS["tiny"].replace(
            max_experts=16, weight_lanes=lanes, weight_bits=bits, weight_sources=SOURCES
        )
        self.rules, self.n_experts = self.config.weight_rules, n_experts
        self.engine, self.rows = WeightEngine(config=self.config), RowList(config=self.config)
        self.table = WeightTable(config=self.config)
        self.tables = np.zeros((4, 3, 16, n_experts), int)
        self.scored = {}

    def run(self, testbench):
        m, engine, rows, table = Module(), self.engine, self.rows, self.table
        m.submodules.engine, m.submodules.rows, m.submodules.table = engine, rows, table
        m.d.comb += [
            rows.read_index.eq(engine.row_index),
            rows.read_oldest.eq(engine.learn),
            engine.bank.eq(Mux(engine.learn, rows.oldest_bank, rows.bank)),
            engine.row.eq(rows.read_row),
            engine.word.eq(table.word),
            table.read_address.eq(engine.read_address),
            table.write.eq(engine.write),
            table.write_address.eq(engine.write_address),
            table.write_word.eq(engine.write_word),
        ]
        simulator = Simulator(m)
        simulator.add_clock(1e-6)

        async def main(ctx):
            ctx.set(engine.n_experts, self.n_experts)
            await testbench(ctx)

        simulator.add_testbench(main)
        simulator.run()

    async def fill(self, ctx, names, *, swap):
        """List rows (source, expert); with `swap` they become the older ones, as do the sums."""
        for index, (source, expert) in enumerate(names):
            ctx.set(self.rows.clear, index == 0)
            ctx.set(self.rows.row, {"source": source, "expert": expert})
            ctx.set(self.rows.add, 1)
            await ctx.tick()
        ctx.set(self.rows.add, 0)
        ctx.set(self.rows.clear, not names)
        await ctx.tick()
        ctx.set(self.rows.clear, 0)
        if swap:
            await self.swap(ctx)

    async def swap(self, ctx):
        ctx.set(self.rows.swap, 1)
        await ctx.tick()
        ctx.set(self.rows.swap, 0)

    async def go(self, ctx, **inputs):
        """Start a run, collect its scores; return the cycles of `busy`."""
        for name, value in inputs.items():
            ctx.set(getattr(self.engine, name), value)
        ctx.set(self.engine.start, 1)
        await ctx.tick()
        ctx.set(self.engine.start, 0)
        cycles, self.scored = 0, {}
        while ctx.get(self.engine.busy):
            if ctx.get(self.engine.scored):
                self.scored[ctx.get(self.engine.group)] = list(ctx.get(self.engine.scores))
                self.scored_at = cycles
            cycles += 1
            await ctx.tick()
        return cycles

    def scores(self):
        """Return the scores of the last run."""
        return [score for group in sorted(self.scored) for score in self.scored[group]][: self.n_experts]


@pytest.mark.parametrize(("lanes", "bits", "n_experts"), [(4, 5, 16), (8, 3, 11), (16, 2, 7), (4, 8, 16)])
def test_random_lessons(lanes, bits, n_experts):
    bench, rng = Bench(lanes, bits, n_experts), make_rng(bits)
    rules = bench.rules
    names = [(source, expert) for source in range(3) for expert in range(n_experts)]

    async def testbench(ctx):
        for _ in range(24):
            layer = rng.randrange(4)
            early, late = rng.sample(names, rng.randint(0, 6)), rng.sample(names, rng.randint(0, 5))
            late = [name for name in late if name not in early]
            await bench.fill(ctx, early + late, swap=False)
            common = {"layer": layer, "learn": 0}
            n_early = len(early)
            cycles = await bench.go(ctx, **common, first=0, end=n_early, fresh=1, final=0)
            assert cycles == bench.engine.latency(n_early, n_experts) and not bench.scored
            cycles = await bench.go(ctx, **common, first=n_early, end=n_early + len(late), fresh=0, final=1)
            assert cycles == bench.engine.latency(len(late), n_experts)
            assert bench.scored_at == cycles - 1
            rows = early + late
            sums = rules.offset + sum((bench.tables[layer, s, e] for s, e in rows), np.zeros(n_experts, int))
            assert bench.scores() == [max(0, min(255, 128 + (int(s) >> rules.score_shift))) for s in sums]
            await bench.swap(ctx)
            if not rows:
                continue
            actual = rng.sample(range(n_experts), 3)
            bitmap = sum(1 << expert for expert in actual)
            cycles = await bench.go(ctx, learn=1, first=0, end=len(rows), layer=layer, actual=bitmap, final=0)
            assert cycles == bench.engine.latency(len(rows), n_experts)
            selected = np.isin(np.arange(n_experts), actual)
            step = np.where(selected, sums < rules.margin, -(sums >= -rules.margin).astype(int))
            for source, expert in rows:
                row = bench.tables[layer, source, expert]
                bench.tables[layer, source, expert] = np.clip(row + step, rules.lowest, rules.highest)

    bench.run(testbench)
    assert bench.tables.any()

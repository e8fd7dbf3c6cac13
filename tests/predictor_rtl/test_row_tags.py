"""Do the tags find what is on chip, and give up the oldest row that the run does not need?"""

from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.row_tags import RowTags

from ..hw.clocked import run_clocked

CONFIG = UNIT_PRESETS["tiny"].replace(
    max_experts=16, predictors=("weights",), weight_ways=4, weight_sources=((1, 0), (0, 1))
)


class Looker:
    """Looks for a row as the cache does: two cycles, then perhaps a fetch."""

    def __init__(self, ctx, dut):
        self.ctx, self.dut = ctx, dut

    async def look(self, layer, source, expert):
        """Return whether the row is there, its way, what the way holds, and whether no way is left."""
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.row_set, {"layer": layer, "source": source})
        ctx.set(dut.expert, expert)
        await ctx.tick()
        tag = ctx.get(dut.tag)
        held = (tag.valid, tag.changed, tag.expert) if tag.valid else None
        return ctx.get(dut.found), ctx.get(dut.way), held, ctx.get(dut.full)

    async def take(self, expert, *, changed=0):
        """Let the way that was found or chosen hold `expert`, and the run use it."""
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.stored, {"valid": 1, "changed": changed, "expert": expert})
        ctx.set(dut.store, 1)
        ctx.set(dut.use, 1)
        await ctx.tick()
        ctx.set(dut.store, 0)
        ctx.set(dut.use, 0)

    async def pulse(self, signal):
        self.ctx.set(signal, 1)
        await self.ctx.tick()
        self.ctx.set(signal, 0)


def test_the_row_that_came_first_goes_first_unless_the_run_uses_it():
    async def testbench(ctx, dut):
        looker = Looker(ctx, dut)
        for way, expert in enumerate((3, 5, 7, 9)):
            assert await looker.look(2, 1, expert) == (0, way, None, 0)
            await looker.take(expert, changed=expert == 3)
        assert (await looker.look(2, 1, 11))[3], "the run uses all four"
        assert not (await looker.look(2, 0, 11))[3] and not (await looker.look(1, 1, 3))[0], "other sets are their own"
        assert await looker.look(2, 1, 7) == (1, 2, (1, 0, 7), 0)
        await looker.pulse(dut.release)
        assert await looker.look(2, 1, 3) == (1, 0, (1, 1, 3), 0)
        await looker.take(3, changed=1)
        assert await looker.look(2, 1, 11) == (0, 1, (1, 0, 5), 0), "3 came first, but is in use"
        await looker.take(11)
        assert await looker.look(2, 1, 12) == (0, 2, (1, 0, 7), 0)

    run_clocked(RowTags(config=CONFIG), testbench)


def test_a_way_may_be_forced_and_a_set_cleared():
    async def testbench(ctx, dut):
        looker = Looker(ctx, dut)
        await looker.look(3, 0, 6)
        await looker.take(6, changed=1)
        ctx.set(dut.forced, 1)
        for way in range(4):
            ctx.set(dut.forced_way, way)
            assert (await looker.look(3, 0, 1))[1:3] == (way, (1, 1, 6) if way == 0 else None)
        await looker.pulse(dut.clear)
        ctx.set(dut.forced, 0)
        assert not (await looker.look(3, 0, 6))[0]

    run_clocked(RowTags(config=CONFIG), testbench)

"""Does the ranking name every expert once, in order, within its cycles, and stop when it is told?"""

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.ranking import Ranking

from .bench import make_rng


class RankingBench:
    """Answers the ranking's levels from a list of scores."""

    def __init__(self, n_experts):
        self.dut = Ranking(config=UNIT_PRESETS["tiny"].replace(max_experts=n_experts))
        self.scores = [0] * n_experts

    def run(self, body):
        async def compare(ctx):
            async for (level,) in ctx.changed(self.dut.level):
                self.answer(ctx, level)

        async def testbench(ctx):
            await body(ctx, self)

        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(compare, background=True)
        simulator.add_testbench(testbench)
        simulator.run()

    def answer(self, ctx, level):
        ctx.set(self.dut.matched, sum((score == level) << expert for expert, score in enumerate(self.scores)))

    async def rank(self, ctx, scores, min_score, *, n_experts=None, ready=lambda: True, cut=None):
        """Return [(cycle after start of the offer, expert, score, last)], and stop after `cut` cycles."""
        dut = self.dut
        self.scores = scores
        ceiling = 0
        for score in scores:
            ceiling |= score
        ctx.set(dut.ceiling, ceiling)
        ctx.set(dut.min_score, min_score)
        ctx.set(dut.n_experts, len(scores) if n_experts is None else n_experts)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        self.answer(ctx, ctx.get(dut.level))
        found, cycle, offered_at = [], 1, None
        while ctx.get(dut.busy) and cycle != cut:
            taken = ready()
            ctx.set(dut.ranked.ready, taken)
            _, _, valid, ranked = await ctx.tick().sample(dut.ranked.valid, dut.ranked.payload)
            if valid:
                offered_at = offered_at or cycle
                if taken:
                    found.append((offered_at, ranked.expert, ranked.score, ranked.last))
                    offered_at = None
            else:
                assert offered_at is None, "an offer was withdrawn"
            cycle += 1
        return found


def ranking_of(scores, min_score, n_experts):
    named = sorted((-score, expert) for expert, score in enumerate(scores[:n_experts]) if score >= min_score)
    return [(expert, -score, index == len(named) - 1) for index, (score, expert) in enumerate(named)]


@pytest.mark.parametrize("n_experts", [2, 16, 17, 75])
def test_random_scores(n_experts):
    bench = RankingBench(n_experts)
    rng = make_rng(n_experts)

    async def body(ctx, bench):
        for _ in range(40):
            top = rng.choice([0, 1, 3, 30])
            scores = [rng.choice([0, rng.randint(0, top)]) for _ in range(n_experts)]
            min_score, live = rng.choice([0, 1, 2, 5]), rng.randint(1, n_experts)
            chance = rng.choice([1.0, 0.4])

            def ready(chance=chance):
                return rng.random() < chance

            found = await bench.rank(ctx, scores, min_score, n_experts=live, ready=ready)
            assert [beat[1:] for beat in found] == ranking_of(scores, min_score, live)
            ceiling = ctx.get(bench.dut.ceiling)
            if found and chance == 1.0 and min_score > 0 and live == n_experts:
                assert found[-1][0] <= 5 + ceiling - min_score + len(found) + len({score for _, _, score, _ in found})

    bench.run(body)


def test_first_offer_at_its_cycle():
    """Two of the highest score: the first is offered after `latency` cycles and one for each empty level above."""
    bench = RankingBench(40)

    async def body(ctx, bench):
        for score, ceiling in ((7, 7), (4, 7), (2, 15)):
            scores = [0] * 40
            scores[33] = scores[35] = score
            scores[1] = ceiling & ~score
            if scores[1] > score:
                scores[1] = 0
            found = await bench.rank(ctx, scores, 2)
            empty = ctx.get(bench.dut.ceiling) - score
            assert found[0][:2] == (bench.dut.latency + empty, 33)
            assert found[1][:2] == (max(bench.dut.latency + empty + 1, found[1][0]), 35)

    bench.run(body)


def test_experts_of_a_group_leave_one_a_cycle():
    bench = RankingBench(16)

    async def body(ctx, bench):
        found = await bench.rank(ctx, [3] * 16, 2)
        assert [beat[0] for beat in found] == [bench.dut.latency + index for index in range(16)]

    bench.run(body)


def test_cancel_at_any_cycle():
    """After a cancel nothing is offered, and the next ranking is whole."""
    bench = RankingBench(20)
    rng = make_rng(4)

    async def body(ctx, bench):
        for cut in range(1, 40):
            scores = [rng.randint(0, 6) for _ in range(20)]
            found = await bench.rank(ctx, scores, 2, cut=cut)
            assert [beat[1:] for beat in found] == ranking_of(scores, 2, 20)[: len(found)]
            ctx.set(bench.dut.ranked.ready, 0)
            ctx.set(bench.dut.cancel, 1)
            await ctx.tick()
            ctx.set(bench.dut.cancel, 0)
            for _ in range(12):
                assert not ctx.get(bench.dut.ranked.valid)
                assert not ctx.get(bench.dut.busy)
                await ctx.tick()
            found = await bench.rank(ctx, scores, 2)
            assert [beat[1:] for beat in found] == ranking_of(scores, 2, 20)

    bench.run(body)

"""Does the selection name experts in descending score, ties to the lower, at the cycles that it promises?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.selection import Selection
from moefetch.predictor_rtl.weight_layout import groups_of, lanes_of

from ..hw.clocked import run_clocked
from .bench import make_rng


def config(experts, lanes):
    return UNIT_PRESETS["tiny"].replace(max_experts=experts, weight_lanes=lanes)


async def load(ctx, dut, scores, unit, *, start=True):
    """Give all groups; start with the last."""
    lanes = lanes_of(unit)
    padded = scores + [255] * (groups_of(unit) * lanes - len(scores))
    for group in range(groups_of(unit)):
        ctx.set(dut.group, group)
        ctx.set(dut.scores, padded[group * lanes : (group + 1) * lanes])
        ctx.set(dut.scored, 1)
        ctx.set(dut.start, start and group == groups_of(unit) - 1)
        await ctx.tick()
    ctx.set(dut.scored, 0)
    ctx.set(dut.start, 0)


async def take(ctx, dut, ready):
    """Return [(expert, score, last)] and the cycles after the last scores in which each was taken."""
    taken, cycles, cycle = [], [], 1
    while ctx.get(dut.busy):
        ctx.set(dut.ranked.ready, ready())
        if ctx.get(dut.ranked.valid) and ctx.get(dut.ranked.ready):
            ranked = ctx.get(dut.ranked.payload)
            taken.append((ranked.expert, ranked.score, ranked.last))
            cycles.append(cycle)
        await ctx.tick()
        cycle += 1
    return taken, cycles


def expected(scores, min_score):
    order = sorted((-score, expert) for expert, score in enumerate(scores) if score >= min_score)
    return [(expert, -score, place == len(order) - 1) for place, (score, expert) in enumerate(order)]


@pytest.mark.parametrize(("experts", "lanes", "live"), [(8, 8, 8), (20, 8, 17), (32, 4, 32), (7, 4, 5)])
def test_order_of_random_scores(experts, lanes, live):
    unit = config(experts, lanes)
    dut = Selection(config=unit)
    rng = make_rng(experts)

    async def testbench(ctx, _):
        ctx.set(dut.n_experts, live)
        for round_number in range(8):
            scores = [rng.choice([0, 3, 200, 255, rng.randrange(256)]) for _ in range(live)]
            min_score = rng.choice([0, 1, 4, 220])
            ctx.set(dut.min_score, min_score)
            await load(ctx, dut, scores, unit)
            taken, _ = await take(ctx, dut, lambda n=round_number: n % 2 or rng.random() < 0.4)
            assert taken == expected(scores, min_score)
            ctx.set(dut.cancel, 1)
            await ctx.tick()
            ctx.set(dut.cancel, 0)

    run_clocked(dut, testbench)


def test_first_and_next_at_their_cycles():
    unit = config(16, 4)
    dut = Selection(config=unit)

    async def testbench(ctx, _):
        ctx.set(dut.n_experts, 16)
        await load(ctx, dut, list(range(16)), unit)
        _, cycles = await take(ctx, dut, lambda: 1)
        assert cycles == [Selection.latency + Selection.period * place for place in range(16)]

    run_clocked(dut, testbench)


def test_a_cancel_at_any_time_ends_it_and_nothing_is_left():
    unit = config(8, 4)
    dut = Selection(config=unit)

    async def testbench(ctx, _):
        ctx.set(dut.n_experts, 8)
        ctx.set(dut.ranked.ready, 1)
        for wait in range(14):
            await load(ctx, dut, [9] * 8, unit)
            for _ in range(wait):
                await ctx.tick()
            ctx.set(dut.cancel, 1)
            await ctx.tick()
            ctx.set(dut.cancel, 0)
            assert not ctx.get(dut.busy) and not ctx.get(dut.ranked.valid)
            await ctx.tick().repeat(6)
            ctx.set(dut.min_score, 5)
            await load(ctx, dut, [1, 7, 2, 3, 0, 0, 0, 0], unit)
            taken, _ = await take(ctx, dut, lambda: 1)
            assert taken == [(1, 7, 1)], wait
            ctx.set(dut.cancel, 1)
            await ctx.tick()
            ctx.set(dut.cancel, 0)
            ctx.set(dut.min_score, 0)

    run_clocked(dut, testbench)

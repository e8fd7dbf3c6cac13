"""Do the member sets keep two events' members in router order?"""

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.members import MemberSets

from .bench import make_rng


@pytest.mark.parametrize("n_experts", [2, 7, 8])
def test_random_events(n_experts):
    dut = MemberSets(config=UNIT_PRESETS["tiny"].replace(max_experts=n_experts))
    rng = make_rng(n_experts)

    async def pulse(ctx, *ports):
        for port in ports:
            ctx.set(port, 1)
        await ctx.tick()
        for port in ports:
            ctx.set(port, 0)

    async def read(ctx, index, previous):
        ctx.set(dut.read_index, index)
        ctx.set(dut.read_previous, previous)
        await ctx.tick()
        return ctx.get(dut.read_expert)

    async def testbench(ctx):
        previous = []
        for _ in range(60):
            members = rng.sample(range(n_experts), rng.randint(0, n_experts))
            if rng.random() < 0.2:
                previous = []
                await pulse(ctx, dut.forget)
            if not members:
                await pulse(ctx, dut.open)
            for index, expert in enumerate(members):
                ctx.set(dut.expert, expert)
                await pulse(ctx, dut.add, *([dut.open] if index == 0 else []))
                assert ctx.get(dut.count) == index + 1
            assert ctx.get(dut.count) == len(members)
            assert ctx.get(dut.experts) == sum(1 << expert for expert in members)
            assert ctx.get(dut.previous_count) == len(previous)
            assert [await read(ctx, index, 0) for index in range(len(members))] == members
            assert [await read(ctx, index, 1) for index in range(len(previous))] == previous
            await pulse(ctx, dut.swap)
            previous = members

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()

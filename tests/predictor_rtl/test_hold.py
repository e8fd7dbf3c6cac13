"""Is a prediction released at its cycle, also if its event ended before the predictor saw it?"""

import pytest
from amaranth.sim import Simulator
from moefetch.predictor_rtl.hold import HoldTimer


@pytest.mark.parametrize("hold_cycles", [0, 1, 7])
def test_released_at_its_cycle(hold_cycles):
    dut = HoldTimer()

    async def testbench(ctx):
        ctx.set(dut.hold_cycles, hold_cycles)
        for event in range(3):
            ctx.set(dut.event, event)
            for _ in range(5):
                assert not ctx.get(dut.released)
                await ctx.tick()
            ctx.set(dut.event_end, 1)
            await ctx.tick()
            ctx.set(dut.event_end, 0)
            for _ in range(hold_cycles):
                assert not ctx.get(dut.released)
                await ctx.tick()
            assert ctx.get(dut.released)

    simulate(dut, testbench)


def test_event_taken_after_its_end():
    dut = HoldTimer()

    async def testbench(ctx):
        ctx.set(dut.hold_cycles, 4)
        ctx.set(dut.event_end, 1)
        await ctx.tick().repeat(2)
        ctx.set(dut.event_end, 0)
        ctx.set(dut.event, 1)
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.released)
        await ctx.tick()
        assert ctx.get(dut.released)
        ctx.set(dut.event, 2)
        assert not ctx.get(dut.released)

    simulate(dut, testbench)


def simulate(dut, testbench):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()

"""Does the row scan present every entry of every member once, at its cycle?"""

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.row_scan import RowScan

from .bench import make_rng


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_members_that_arrive_at_random(lanes):
    """Row i holds experts i, i + 1, ..; the bench answers an index after four cycles as the memories do."""
    config = UNIT_PRESETS["tiny"].replace(max_experts=16, max_top_k=4, predictor_lanes=lanes)
    dut = RowScan(config=config)
    rng = make_rng(lanes)
    steps = 4 // lanes

    async def event(ctx, n_members, chance):
        ctx.set(dut.open, 1)
        asked = [0] * (dut.latency - 1)
        cycle, count, idle_since = 0, 0, None
        counted, lanes_at, loads = [], [], []
        while idle_since is None or cycle < idle_since + 8:
            if cycle == 1:
                ctx.set(dut.open, 0)
                ctx.set(dut.count, 0)
            if cycle and count < n_members and rng.random() < chance:
                count += 1
                counted.append(cycle)
                ctx.set(dut.count, count)
            asked.append(ctx.get(dut.member_index))
            row = asked.pop(0)
            ctx.set(dut.row, [{"expert": (row + entry) % 16, "confidence": entry} for entry in range(4)])
            if ctx.get(dut.load):
                loads.append(cycle)
            if ctx.get(dut.add):
                lanes_at.append((cycle, [entry.expert for entry in ctx.get(dut.lanes)]))
            if cycle and count == n_members and idle_since is None and ctx.get(dut.idle):
                idle_since = cycle
            await ctx.tick()
            cycle += 1
        assert loads == [2]
        start, position = 0, []
        for member, at in enumerate(counted):
            start = max(start, at)
            for step in range(steps):
                experts = [(member + step * lanes + lane) % 16 for lane in range(lanes)]
                position.append((start + dut.latency + step, experts))
            start += steps
        assert lanes_at == position
        assert idle_since == (position[-1][0] + 1 if position else 3)

    async def testbench(ctx):
        ctx.set(dut.enable, 1)
        for n_members in (0, 1, 3, 16, 5, 0, 7):
            for chance in (1.0, 0.2):
                await event(ctx, n_members, chance)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()

"""Does the learner write the rows that the rule gives, and take no longer than it says?"""

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.cct import CorrelationTable
from moefetch.predictor_rtl.learner import Learner
from moefetch.predictor_rtl.members import MemberSets

from .bench import Event, make_rng, naive


class Classroom(wiring.Component):
    """A learner with the memories that it works on, layer 0."""

    def __init__(self, config):
        super().__init__({})
        self.learner = Learner(config=config)
        self.members = MemberSets(config=config)
        self.table = CorrelationTable(config=config)

    def elaborate(self, platform):
        m = Module()
        m.submodules.learner = learner = self.learner
        m.submodules.members = members = self.members
        m.submodules.table = table = self.table
        m.d.comb += [
            learner.previous_count.eq(members.previous_count),
            learner.count.eq(members.count),
            learner.experts.eq(members.experts),
            learner.member.eq(members.read_expert),
            members.read_index.eq(learner.member_index),
            members.read_previous.eq(learner.member_previous),
            table.read_expert.eq(members.read_expert),
            learner.row.eq(table.row),
            table.write.eq(learner.write),
            table.write_expert.eq(learner.write_expert),
            table.write_row.eq(learner.write_row),
        ]
        return m


@pytest.mark.parametrize(("n_experts", "top_k", "lanes"), [(12, 4, 1), (12, 4, 2), (7, 6, 6), (8, 1, 1)])
def test_random_sets(n_experts, top_k, lanes):
    """Rows as in the naive model; the number of cycles is exact, counted from what each row needs."""
    config = UNIT_PRESETS["tiny"].replace(max_layers=2, max_experts=n_experts, max_top_k=top_k, predictor_lanes=lanes)
    room = Classroom(config)
    rng = make_rng(n_experts + lanes)
    model = naive(config, 2, n_experts)

    async def testbench(ctx):
        learner, members = room.learner, room.members
        previous = ()
        for _ in range(80):
            chosen = tuple(rng.sample(range(n_experts), rng.choice([0, 1, top_k, n_experts])))
            for index, expert in enumerate(chosen or (0,)):
                ctx.set(members.open, index == 0)
                ctx.set(members.add, bool(chosen))
                ctx.set(members.expert, expert)
                await ctx.tick()
            ctx.set(members.open, 0)
            ctx.set(members.add, 0)
            walked = sum(walk_length(model.row(0, member), chosen) for member in previous)
            model.previous = Event(0, 0, False, previous)
            model.learn(Event(1, 1, False, chosen))
            cycles = await learn(ctx, learner)
            assert cycles == len(previous) * (6 + top_k // lanes) + walked
            assert cycles <= learner.latency(len(previous), len(chosen))
            for (_, expert), row in model.rows.items():
                stored = ctx.get(room.table.contents[expert])
                held = [[entry.expert ^ index, entry.confidence] for index, entry in enumerate(stored)]
                assert held == row, (expert, chosen)
            ctx.set(members.swap, 1)
            await ctx.tick()
            ctx.set(members.swap, 0)
            previous = chosen

    simulator = Simulator(room)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


async def learn(ctx, learner):
    """Start the learner; return the cycles for which it was busy."""
    ctx.set(learner.start, 1)
    await ctx.tick()
    ctx.set(learner.start, 0)
    cycles = 0
    while ctx.get(learner.busy):
        await ctx.tick()
        cycles += 1
    return cycles


def walk_length(row, chosen):
    """Return how many members of F are walked until every marked entry has one."""
    held = [expert for expert, _ in row]
    n_marked = sum(expert not in chosen and confidence == 0 for expert, confidence in row)
    walked = 0
    for expert in chosen:
        if n_marked == 0:
            break
        walked += 1
        n_marked -= expert not in held
    return walked

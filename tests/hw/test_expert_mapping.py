"""Are grants handed out so that no two elements read one bank, all of them, at once, and each once?"""

import random
from dataclasses import dataclass

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.expert_mapping import ExpertMapping
from moefetch.hw.records import GrantStatus

from .clocked import run_clocked

BEATS = 5
WINDOW = 4


def config_of(banks, n_pe=3):
    return UNIT_PRESETS["tiny"].replace(slots=12, banks=banks, n_pe=n_pe, scan_lanes=2, mapping_window=WINDOW)


@dataclass
class Element:
    """A processing element: reads `BEATS` words of its grant's slot, then computes for a while."""

    grant: dict | None = None
    beat: int = 0
    left: int = 0

    @property
    def reads(self):
        return self.grant is not None and self.grant["status"] != GrantStatus.ERROR and self.beat < BEATS

    @property
    def done(self):
        return self.grant is not None and not self.reads and self.left == 0


class World:
    """Feeds grants, plays the elements, and checks every cycle against a naive window."""

    def __init__(self, config, seed, n_grants, patience=1.0):
        self.config, self.patience = config, patience
        self.rng = random.Random(seed)
        statuses = [GrantStatus.HIT, GrantStatus.HIT, GrantStatus.MISS, GrantStatus.ERROR]
        slots = self.rng.sample(range(config.slots), config.slots)  # repeated: no two grants that are out share one
        self.todo = [
            {"layer": 0, "expert": n % config.max_experts, "slot": slots[n % config.slots],
             "status": self.rng.choice(statuses)} for n in range(n_grants)
        ]  # fmt: skip
        self.window, self.out = [], []
        self.elements = [Element() for _ in range(config.n_pe)]
        self.taken = {}
        self.offered = None

    def bank(self, grant):
        return grant["slot"] % self.config.banks

    def is_free(self, grant):
        return grant["status"] == GrantStatus.ERROR or self.bank(grant) not in self.taken

    async def run(self, ctx, dut):
        ctx.set(dut.expert_beats, BEATS)
        while self.todo or self.window or any(element.grant for element in self.elements):
            await self.cycle(ctx, dut)

    async def cycle(self, ctx, dut):
        offers = bool(self.todo) and self.rng.random() < 0.7
        ctx.set(dut.granted.valid, offers)
        if offers:
            ctx.set(dut.granted.payload, self.todo[0])
        idle = [element for element in self.elements if element.grant is None]
        takes = bool(idle) and self.rng.random() < self.patience
        ctx.set(dut.grant.ready, takes)
        self.play(ctx, dut)
        released = next((element for element in self.elements if element.done), None)
        ctx.set(dut.release.valid, released is not None)
        ctx.set(dut.release.ready, 1)
        if released is not None:
            ctx.set(dut.release.payload, released.grant)
        self.expect(ctx, dut)
        granted = ctx.get(dut.grant.valid) and takes
        arrives = offers and ctx.get(dut.granted.ready)
        await ctx.tick()
        self.advance(idle[0] if granted else None, released, arrives)

    def play(self, ctx, dut):
        for port, element in zip(dut.read, self.elements, strict=True):
            ctx.set(port.valid, element.reads)
            ctx.set(port.ready, 1)
            if element.reads:
                ctx.set(port.slot, element.grant["slot"])
                ctx.set(port.beat, element.beat)

    def expect(self, ctx, dut):
        banks = [self.bank(element.grant) for element in self.elements if element.reads]
        assert len(set(banks)) == len(banks), "two elements read one bank"
        free = [grant for grant in self.window if self.is_free(grant)]
        expected = self.offered or (free[0] if free else None)
        assert ctx.get(dut.grant.valid) == (expected is not None)
        assert ctx.get(dut.held) == (bool(self.window) and expected is None)
        if expected is not None:
            found = ctx.get(dut.grant.payload)
            assert {name: getattr(found, name) for name in expected} == expected
        self.offered = expected

    def advance(self, taker, released, arrives):
        for element in self.elements:
            if element.reads:
                element.beat += 1
                if element.beat == BEATS:
                    del self.taken[self.bank(element.grant)]
            elif element.grant is not None and element.left:
                element.left -= 1
        if released is not None:
            released.grant = None
        if taker is not None:
            grant = self.offered
            self.window.remove(grant)
            self.out.append(grant)
            taker.grant, taker.beat, taker.left = grant, 0, self.rng.choice((0, 1, 9))
            if grant["status"] != GrantStatus.ERROR:
                self.taken[self.bank(grant)] = grant["slot"]
            self.offered = None
        if arrives:
            self.window.append(self.todo.pop(0))


@pytest.mark.parametrize("patience", [1.0, 0.3])
@pytest.mark.parametrize("banks", [1, 2, 3, 4, 12])
def test_random_grants_match_a_naive_window(banks, patience):
    print("seed 5")
    world = World(config_of(banks), 5, 150, patience)
    given = list(world.todo)
    run_clocked(ExpertMapping(config=world.config), world.run)
    assert sorted(map(repr, world.out)) == sorted(map(repr, given))


def test_one_cycle_to_the_grant_and_from_a_banks_last_word():
    dut = ExpertMapping(config=config_of(banks=2))
    first, second = ({"layer": 0, "expert": e, "slot": slot, "status": GrantStatus.HIT} for e, slot in ((0, 0), (1, 2)))

    async def bench(ctx, dut):
        ctx.set(dut.expert_beats, BEATS)
        ctx.set(dut.grant.ready, 1)
        ctx.set(dut.granted.valid, 1)
        ctx.set(dut.granted.payload, first)
        assert not ctx.get(dut.grant.valid)
        await ctx.tick()
        assert ctx.get(dut.grant.valid)  # dut.latency = 1 cycle on
        ctx.set(dut.granted.payload, second)
        await ctx.tick()
        ctx.set(dut.granted.valid, 0)
        for beat in range(BEATS):
            ctx.set(dut.read[0].valid, 1)
            ctx.set(dut.read[0].ready, 1)
            ctx.set(dut.read[0].slot, 0)
            ctx.set(dut.read[0].beat, beat)
            assert ctx.get(dut.held)
            await ctx.tick()
        assert ctx.get(dut.grant.valid)

    assert dut.latency == 1
    run_clocked(dut, bench)


def test_a_grant_that_comes_back_unread_frees_its_bank():
    dut = ExpertMapping(config=config_of(banks=2))
    first, second = ({"layer": 0, "expert": e, "slot": slot, "status": GrantStatus.HIT} for e, slot in ((0, 0), (1, 2)))

    async def bench(ctx, dut):
        ctx.set(dut.expert_beats, BEATS)
        ctx.set(dut.grant.ready, 1)
        ctx.set(dut.granted.valid, 1)
        for grant in (first, second):
            ctx.set(dut.granted.payload, grant)
            await ctx.tick()
        ctx.set(dut.granted.valid, 0)
        await ctx.tick().repeat(20)
        assert ctx.get(dut.held)
        ctx.set(dut.release.payload, first)
        ctx.set(dut.release.valid, 1)
        ctx.set(dut.release.ready, 1)
        await ctx.tick()
        assert ctx.get(dut.grant.valid)

    run_clocked(dut, bench)

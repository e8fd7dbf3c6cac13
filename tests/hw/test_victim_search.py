"""Does the search find the slot that docs/unit-rules.md names, in the cycle that `latency` promises?"""

import random
from itertools import product

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.records import VictimPolicy
from moefetch.hw.residency import ResidencyDirectory, SlotState
from moefetch.hw.victim_search import VictimClass, VictimSearch

TINY = UNIT_PRESETS["tiny"].replace(horizon=4)
FREE, FILLING, RESIDENT, DRAINING = SlotState
CURRENT, N_LAYERS = 10, 4


def slot(state=RESIDENT, *, layer=0, tick=0, stamp=CURRENT, pinned=0, released=0, sticky=0):
    return {
        "state": state, "layer": layer, "tick": tick, "stamp": stamp, "pinned": pinned, "released": released,
        "sticky": sticky,
    }  # fmt: skip


def best_slot(slots, *, demand, deadline, layer, policy):
    """Return class and slot by a plain reading of the rules."""

    def victim(indices):
        def rank(i):
            distance = (slots[i]["layer"] - layer) % N_LAYERS if policy == VictimPolicy.LEAST_STALE else 0
            return -distance, slots[i]["tick"], i

        return min(indices, key=rank)

    def those(rule):
        return [i for i, s in enumerate(slots) if rule(s)]

    free = those(lambda s: s["state"] == FREE)
    if free:
        return VictimClass.FREE, free[0]
    loose = [i for i in those(lambda s: s["state"] == RESIDENT and not s["pinned"] and not s["sticky"])]
    passed = [i for i in loose if slots[i]["stamp"] <= CURRENT]
    if passed:
        return VictimClass.PASSED, victim(passed)
    coming = [i for i in loose if slots[i]["stamp"] > CURRENT and (demand or slots[i]["stamp"] >= deadline)]
    if coming:
        return VictimClass.COMING, victim(coming)
    if not demand:
        return VictimClass.NONE, None
    own = those(lambda s: s["state"] == RESIDENT and s["pinned"] and s["released"] and not s["sticky"])
    if own:
        return VictimClass.OWN_RELEASED, min(own, key=lambda i: (slots[i]["tick"], i))
    in_flight = those(lambda s: s["state"] == FILLING and not s["pinned"])
    if in_flight:
        return VictimClass.IN_FLIGHT, min(in_flight, key=lambda i: (-slots[i]["stamp"], i))
    return VictimClass.NONE, None


class Bench:
    """Search and directory, as the commit port joins them."""

    def __init__(self, config):
        self.directory = ResidencyDirectory(config=config)
        self.search = VictimSearch(config=config)
        self.module = Module()
        self.module.submodules += [self.directory, self.search]
        connect(self.module, self.search.rows, self.directory.port.rows)
        self._written = {}

    def run(self, drive):
        simulator = Simulator(self.module)
        simulator.add_clock(1e-8)
        simulator.add_testbench(drive)
        simulator.run()

    async def load(self, ctx, slots):
        """Write the slots that differ from what lies there."""
        port = self.directory.port
        ctx.set(port.current, CURRENT)
        for name in ("key_write", "tick_write", "stamp_write", "flags_write"):
            ctx.set(getattr(port, name), 1)
        for index, one in enumerate(slots):
            if self._written.get(index) == one:
                continue
            self._written[index] = one
            ctx.set(port.write_slot, index)
            ctx.set(port.key_value, {"layer": one["layer"], "expert": index})
            ctx.set(port.tick_value, one["tick"])
            ctx.set(port.stamp_value, one["stamp"])
            ctx.set(port.flags_value, {name: one[name] for name in ("state", "pinned", "released", "sticky")})
            await ctx.tick()
        for name in ("key_write", "tick_write", "stamp_write", "flags_write"):
            ctx.set(getattr(port, name), 0)
        await ctx.tick()

    async def check(self, ctx, slots, **question):
        """Ask once; compare the answer and its cycle."""
        search = self.search.search
        asked = {"current": CURRENT, "n_layers": N_LAYERS, "n_slots": len(slots)} | question
        for name, value in asked.items():
            ctx.set(getattr(search, name), value)
        ctx.set(search.start, 1)
        await ctx.tick()
        ctx.set(search.start, 0)
        for _ in range(self.search.latency(len(slots)) - 1):
            assert not ctx.get(search.done), "n - 1"
            await ctx.tick()
        assert ctx.get(search.done), "n"
        found, index = best_slot(slots, **question)
        assert VictimClass(ctx.get(search.found)) == found, (slots, question)
        if index is not None:
            assert ctx.get(search.slot) == index, (slots, question)
        await ctx.tick()
        assert not ctx.get(search.done), "n + 1"


NEAR, FAR = CURRENT + 1, CURRENT + 2
KINDS = [
    slot(FREE), slot(DRAINING), slot(FILLING, pinned=1), slot(FILLING, stamp=NEAR), slot(FILLING, stamp=FAR),
    slot(), slot(layer=2), slot(stamp=NEAR), slot(stamp=FAR, layer=1), slot(sticky=1), slot(pinned=1),
    slot(pinned=1, released=1), slot(pinned=1, released=1, sticky=1),
]  # fmt: skip
"""One slot of every kind that a rule sets apart."""


@pytest.mark.parametrize("scan_lanes", [1, 2])
def test_all_pairs_of_kinds(scan_lanes):
    bench = Bench(TINY.replace(slots=2, banks=2, scan_lanes=scan_lanes))

    async def drive(ctx):
        for first, second in product(KINDS, KINDS):
            for ticks in ((5, 5), (5, 4)):
                slots = [one | {"tick": tick} for one, tick in zip((first, second), ticks, strict=True)]
                await bench.load(ctx, slots)
                policies = list(VictimPolicy)
                for demand, policy in product((0, 1), policies):
                    await bench.check(ctx, slots, demand=demand, deadline=FAR, layer=1, policy=policy)

    bench.run(drive)


@pytest.mark.parametrize(("slots", "scan_lanes"), [(8, 1), (8, 2), (8, 8), (12, 4), (6, 2)])
def test_random_slots(slots, scan_lanes):
    print("seed 1")
    rng = random.Random(1)
    bench = Bench(TINY.replace(slots=slots, scan_lanes=scan_lanes))

    def some_slot(states):
        one = slot(
            rng.choice(states), layer=rng.randrange(N_LAYERS), tick=rng.randrange(4),
            stamp=CURRENT + rng.randint(-2, 3), pinned=rng.random() < 0.5, sticky=rng.random() < 0.2,
        )  # fmt: skip
        return one | {"released": int(one["pinned"] and rng.random() < 0.3)}

    async def drive(ctx):
        for _ in range(80):
            states = rng.choice(((RESIDENT, FILLING, DRAINING), (RESIDENT,), (FILLING, DRAINING), tuple(SlotState)))
            chosen = [some_slot(states) for _ in range(rng.randint(1, slots))]
            await bench.load(ctx, chosen)
            for demand in (0, 1):
                await bench.check(
                    ctx, chosen, demand=demand, deadline=CURRENT + rng.randint(1, 3), layer=rng.randrange(N_LAYERS),
                    policy=rng.choice(list(VictimPolicy)),
                )  # fmt: skip

    bench.run(drive)

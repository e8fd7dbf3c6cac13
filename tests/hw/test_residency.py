"""Does the directory answer look-ups, rows and flags in the promised cycle, and find a key in one slot at most?"""

import random

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.residency import ResidencyDirectory, SlotState

TINY = UNIT_PRESETS["tiny"]
FLAGS = ("pinned", "released", "sticky", "unused", "late")
WRITES = ("key_write", "tick_write", "stamp_write", "flags_write")


def simulate(config, bench):
    dut = ResidencyDirectory(config=config)

    async def run(ctx):
        await bench(ctx, dut.port)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(run)
    simulator.run()


class Model:
    """Both maps and the flags, as plain lists; `before` is what they were before the last write."""

    def __init__(self, config):
        self.config = config
        self.before = None
        self.slot_of_key = {}
        self.keys = [(0, 0)] * config.slots
        self.ticks, self.stamps = [0] * config.slots, [0] * config.slots
        self.flags = [dict.fromkeys(("state", *FLAGS), 0)] * config.slots
        self.keep()

    def keep(self):
        """Remember what there is, for what a write reaches a cycle later."""
        self.before = (list(self.ticks), list(self.stamps), list(self.flags))

    def find(self, key):
        """Return the slot in which a key is resident or in flight: both maps agree, the state says so."""
        slot = self.slot_of_key.get(key, 0)
        there = self.keys[slot] == key and self.flags[slot]["state"] in (SlotState.FILLING, SlotState.RESIDENT)
        return slot if there else None


def random_write(rng, config):
    return {
        "slot": rng.randrange(config.slots),
        "key": (rng.randrange(config.max_layers), rng.randrange(config.max_experts)),
        "tick": rng.getrandbits(32),
        "stamp": rng.getrandbits(32),
        "flags": {
            "state": rng.randrange(4), **{name: rng.randrange(2) for name in FLAGS}
        },
        "strobes": {name: rng.random() < 0.5 for name in WRITES},
        "end_event": rng.random() < 0.05,
    }  # fmt: skip


def drive_write(ctx, port, write):
    layer, expert = write["key"]
    ctx.set(port.write_slot, write["slot"])
    ctx.set(port.key_value, {"layer": layer, "expert": expert})
    ctx.set(port.tick_value, write["tick"])
    ctx.set(port.stamp_value, write["stamp"])
    ctx.set(port.flags_value, write["flags"])
    for name, value in write["strobes"].items():
        ctx.set(getattr(port, name), value)
    ctx.set(port.end_event, write["end_event"])


def apply_write(model, write):
    slot, strobes = write["slot"], write["strobes"]
    if write["end_event"]:
        model.flags = [flags | {"pinned": 0, "released": 0} for flags in model.flags]
    if strobes["key_write"]:
        model.slot_of_key[write["key"]] = slot
        model.keys[slot] = write["key"]
    if strobes["tick_write"]:
        model.ticks[slot] = write["tick"]
    if strobes["stamp_write"]:
        model.stamps[slot] = write["stamp"]
    if strobes["flags_write"]:
        model.flags[slot] = write["flags"]


@pytest.mark.parametrize(("slots", "scan_lanes"), [(8, 2), (8, 1), (8, 8), (6, 2)])
def test_random_writes_and_reads(slots, scan_lanes):
    """Every cycle a write, a look-up and a row read.

    Reads of the cycle of a write get what was there before, those of ticks, stamps and rows of flags a cycle longer.
    """
    print("seed 1")
    rng = random.Random(1)
    config = TINY.replace(slots=slots, scan_lanes=scan_lanes)
    model = Model(config)

    async def bench(ctx, port):
        for _ in range(600):
            write = random_write(rng, config)
            drive_write(ctx, port, write)
            key = rng.choice(model.keys)
            row, slot = rng.randrange(slots // scan_lanes), rng.randrange(slots)
            ctx.set(port.find_key, {"layer": key[0], "expert": key[1]})
            ctx.set(port.rows.read_row, row)
            ctx.set(port.rows.scan_row, row)
            ctx.set(port.slot, slot)
            n_slots = rng.randint(1, slots)
            ctx.set(port.n_slots, n_slots)
            of_row = range(row * scan_lanes, (row + 1) * scan_lanes)
            old_ticks, old_stamps, old_flags = ([those[i] for i in of_row] for those in model.before)
            assert [flags_of(flags) for flags in ctx.get(port.rows.scan_flags)] == old_flags
            before = model.slot_of_key.get(key, 0), [model.keys[i] for i in of_row], old_ticks, old_stamps
            flags = model.flags[slot] | ({"pinned": 0, "released": 0} if write["end_event"] else {})
            await ctx.tick()
            model.keep()
            apply_write(model, write)
            keys = [(key.layer, key.expert) for key in ctx.get(port.rows.row_keys)]
            ticks, stamps = list(ctx.get(port.rows.row_ticks)), list(ctx.get(port.rows.row_stamps))
            assert (ctx.get(port.slot_of_key), keys, ticks, stamps) == before
            assert flags_of(ctx.get(port.flags)) == flags
            traits = traits_of(flags, usable=slot < n_slots)
            assert {name: ctx.get(port.traits[name]) for name in traits} == traits

    simulate(config, bench)


def traits_of(flags, *, usable):
    resident, filling = flags["state"] == SlotState.RESIDENT, flags["state"] == SlotState.FILLING
    return {
        "resident": resident, "filling": filling, "in_use": resident and flags["pinned"] and not flags["released"],
        "undemanded": filling and not flags["pinned"], "here": resident and usable, "on_its_way": filling and usable,
    }  # fmt: skip


def flags_of(flags):
    return {"state": int(flags.state), **{name: flags[name] for name in FLAGS}}


def test_key_is_found_in_one_slot_at_most():
    """Slots are taken for keys that are not there, freed and taken again; each key stays where it was put last."""
    print("seed 1")
    rng = random.Random(1)
    config = TINY
    where = {}

    async def found_slot(ctx, port, key):
        """Look up as the commit port does: key map, then the slot's row and flags."""
        ctx.set(port.find_key, {"layer": key[0], "expert": key[1]})
        await ctx.tick()
        slot = ctx.get(port.slot_of_key)
        ctx.set(port.rows.read_row, slot // config.scan_lanes)
        ctx.set(port.slot, slot)
        await ctx.tick()
        held = ctx.get(port.rows.row_keys)[slot % config.scan_lanes]
        there = SlotState(ctx.get(port.flags.state)) in (SlotState.FILLING, SlotState.RESIDENT)
        return slot if there and (held.layer, held.expert) == key else None

    async def put(ctx, port, slot, key, state):
        for name in ("key_write", "flags_write"):
            ctx.set(getattr(port, name), name == "flags_write" or key is not None)
        ctx.set(port.write_slot, slot)
        if key is not None:
            ctx.set(port.key_value, {"layer": key[0], "expert": key[1]})
        ctx.set(port.flags_value, {"state": state})
        await ctx.tick()
        ctx.set(port.key_write, 0)
        ctx.set(port.flags_write, 0)

    async def bench(ctx, port):
        keys = [(layer, expert) for layer in range(3) for expert in range(4)]
        for _ in range(300):
            key = rng.choice(keys)
            slot = await found_slot(ctx, port, key)
            assert slot == where.get(key)
            if slot is None:
                slot = rng.randrange(config.slots)
                for other in [other for other, place in where.items() if place == slot]:
                    del where[other]
                where[key] = slot
                await put(ctx, port, slot, key, rng.choice((SlotState.FILLING, SlotState.RESIDENT)))
            elif rng.random() < 0.5:
                del where[key]
                await put(ctx, port, slot, None, rng.choice((SlotState.FREE, SlotState.DRAINING)))

    simulate(config, bench)


def test_end_of_event_and_a_write_in_the_same_cycle():
    async def bench(ctx, port):
        ctx.set(port.flags_write, 1)
        for slot in range(TINY.slots):
            ctx.set(port.write_slot, slot)
            ctx.set(port.flags_value, {"state": SlotState.RESIDENT, **dict.fromkeys(FLAGS, 1)})
            await ctx.tick()
        ctx.set(port.flags_write, 0)
        ctx.set(port.end_event, 1)
        assert ctx.get(port.flags.pinned)
        await ctx.tick()
        ctx.set(port.end_event, 0)
        for slot in range(TINY.slots):
            ctx.set(port.slot, slot)
            await ctx.tick()
            flags = {name: ctx.get(port.flags[name]) for name in ("pinned", "released", "sticky", "unused")}
            assert flags == {"pinned": 0, "released": 0, "sticky": 1, "unused": 1}

    simulate(TINY, bench)


def test_slots_are_for_a_coming_event_until_it_has_closed():
    """`coming` and `scan_ahead` follow what stamps say of the number of the last closed event."""
    config = TINY.replace(horizon=4)

    async def bench(ctx, port):
        ctx.set(port.current, 2**32 - 2)
        stamps = {0: 2**32 - 2, 1: 2**32 - 1, 2: 0, 3: 2}
        ctx.set(port.stamp_write, 1)
        for slot, stamp in stamps.items():
            ctx.set(port.write_slot, slot)
            ctx.set(port.stamp_value, stamp)
            await ctx.tick()
        ctx.set(port.stamp_write, 0)
        await ctx.tick()
        for closed in range(5):
            for slot, stamp in stamps.items():
                ahead = max((stamp + 2) % 2**32 - closed, 0)
                ctx.set(port.slot, slot)
                ctx.set(port.rows.scan_row, slot // config.scan_lanes)
                await ctx.tick()
                assert ctx.get(port.rows.scan_ahead[slot % config.scan_lanes]) == ahead, (closed, slot)
                assert ctx.get(port.traits.coming) == (ahead > 0), (closed, slot)
            ctx.set(port.closing, 1)
            await ctx.tick()
            ctx.set(port.closing, 0)
            ctx.set(port.current, (2**32 - 1 + closed) % 2**32)

    simulate(config, bench)

"""Is a flipped bit of the directory detected, told, and never believed? Every bit of every word, where it counts.

Every word of every granted expert is compared with memory, and each event's grants with its members.
"""

import random
from itertools import product

import pytest
from amaranth.hdl import Value
from moefetch.hw.key_map import ROW_WORDS, key_layout
from moefetch.hw.parity import stored_bits
from moefetch.hw.records import Class, GrantStatus, Kind, Sweep

from .core_bench import CONFIG, CoreBench, Surroundings, Unchecked, hint_beats, router_beats

GUARDED = CONFIG.replace(parity=True)
KEY_BITS = key_layout(GUARDED).size
COUNTER_CYCLES = 180


class FlipBench(CoreBench):
    """Flips bits of the directory's memories, and holds each event's grants against its members."""

    def __post_init__(self):
        super().__post_init__()
        self.model = Unchecked()
        self.granted: list[tuple[int, int]] = []
        self.told = 0

    def flip(self, ctx, name, index, bit):
        """Flip a bit of a slot's word, or of a key's in the key map, unless another one is wrong already."""
        contents = self.core._directory.contents[name]
        lanes = ROW_WORDS if name == "slot_of_key" else self.config.scan_lanes
        row = Value.cast(contents[index // lanes])
        width = len(row) // lanes
        place = index % lanes * width
        word = ctx.get(row) >> place & (1 << width) - 1
        if not (self.config.parity and word.bit_count() % 2):
            ctx.set(row, ctx.get(row) ^ 1 << place + bit)

    def _take_grant(self, payload):
        self.granted.append((int(payload["layer"]), int(payload["expert"])))
        super()._take_grant(payload)

    async def event(self, ctx, layer, experts):
        """Run an event to its end; return its classes."""
        mark, first = len(self.log), len(self.granted)
        await self.send_event(ctx, router_beats(layer, [experts]))
        await self.wait_end(ctx)
        for _ in range(4):
            await ctx.tick()
        assert sorted(self.granted[first:]) == sorted((layer, expert) for expert in experts)
        return [record.outcome for _, record in self.log[mark:] if record.kind == Kind.CLASSIFY]

    async def watch(self, ctx):
        """Count the cycles in which a fault is told."""
        async for _, _, wrong in ctx.tick().sample(self.core.faults.parity_error):
            self.told += wrong

    def scrubbed(self):
        return self.count(Kind.FREE, Sweep.SCRUB)


def key_without(bit):
    """Return the expert whose key differs from that of expert 0 of layer 0 in one bit."""
    return (1 << bit, 0) if bit < GUARDED.layer_bits else (0, 1 << bit - GUARDED.layer_bits)


async def same_slot_for_all(ctx, bench):
    """Bring all these experts into the one slot, so that the key map of each names it."""
    for bit in range(KEY_BITS):
        layer, expert = key_without(bit)
        await bench.event(ctx, layer, [expert])


def test_parity_changes_no_cycle():
    """Records and their cycles, with and without it; the golden model checks both."""
    logs = []
    for config in (CONFIG, GUARDED):
        bench = CoreBench(config=config, around=Surroundings(latency=(3, 20)), settings={"n_slots": 4})

        async def drive(ctx, bench=bench):
            rng = random.Random(3)
            for number in range(6):
                await bench.send_event(ctx, router_beats(number % 4, [rng.sample(range(8), 2)]))
                await bench.send_hints(ctx, hint_beats((number + 1) % 4, rng.sample(range(8), 3), rng))
                await bench.wait_end(ctx)

        bench.run(drive, limit=4000, watch_counters=False)
        logs.append(bench.log)
    assert logs[0] == logs[1] and len(logs[0]) > 50


def test_every_bit_of_a_resident_experts_key():
    """Also the flips that name another expert whose key map entry still names this slot."""
    bench = FlipBench(config=GUARDED, settings={"hints": 0, "n_slots": 1, "expert_beats": 2})

    async def drive(ctx):
        await same_slot_for_all(ctx, bench)
        for bit in range(stored_bits(GUARDED, KEY_BITS)):
            for layer, expert in ((0, 0), key_without(bit % KEY_BITS)):
                await bench.event(ctx, 0, [0])
                assert await bench.event(ctx, 0, [0]) == [Class.HIT_REUSE]
                mark, told = bench.scrubbed(), bench.told
                bench.flip(ctx, "keys", 0, bit)
                assert await bench.event(ctx, layer, [expert]) == [Class.MISS]
                assert bench.told > told and bench.scrubbed() == mark + 1

    bench.run(drive, bench.watch, limit=30_000, watch_counters=False)


def test_without_parity_such_a_flip_grants_wrong_bytes():
    bench = FlipBench(config=CONFIG, settings={"hints": 0, "n_slots": 1, "expert_beats": 2})

    async def drive(ctx):
        await same_slot_for_all(ctx, bench)
        await bench.event(ctx, 0, [0])
        bench.flip(ctx, "keys", 0, GUARDED.layer_bits)
        layer, expert = key_without(GUARDED.layer_bits)
        await bench.event(ctx, layer, [expert])

    with pytest.raises(AssertionError, match=r"cycle .* Element"):
        bench.run(drive, limit=3000, watch_counters=False)


def test_every_bit_of_the_key_map():
    bench = FlipBench(config=GUARDED, settings={"hints": 0, "expert_beats": 2})

    async def drive(ctx):
        for expert in range(8):
            await bench.event(ctx, 0, [expert])
        for expert, bit in product((2, 3), range(stored_bits(GUARDED, GUARDED.slot_bits))):
            told = bench.told
            bench.flip(ctx, "slot_of_key", expert, bit)
            assert await bench.event(ctx, 0, [expert]) == [Class.MISS]
            assert bench.told == told + 1
            assert await bench.event(ctx, 0, [3]) == [Class.HIT_REUSE]
            assert bench.told == told + 1, "the fetch has written it anew"

    bench.run(drive, bench.watch, limit=8000, watch_counters=False)
    assert not bench.scrubbed()


@pytest.mark.parametrize("name", ["ticks", "stamps"])
def test_every_bit_of_a_slots_tick_and_stamp(name):
    """The slot is emptied when it is next looked at and not pinned, and told each time until then."""
    bench = FlipBench(config=GUARDED, settings={"hints": 1, "n_slots": 2, "expert_beats": 1})

    async def drive(ctx):
        for bit in range(33):
            await bench.event(ctx, 0, [5])
            slot = next(record.slot for _, record in reversed(bench.log) if record.kind == Kind.RELEASE)
            mark, told = bench.scrubbed(), bench.told
            bench.flip(ctx, name, slot, bit)
            await bench.send_hints(ctx, hint_beats(0, [5]))
            await bench.quiet(ctx, 12)
            assert bench.told > told and (bench.scrubbed() == mark + 1 or name == "stamps")
            await bench.event(ctx, 0, [5])

    bench.run(drive, bench.watch, limit=12_000, watch_counters=False)
    assert bench.scrubbed() >= 33


def test_every_bit_of_a_key_on_its_way():
    """A demanded expert's grant names it all the same; so does its release, though the directory has forgotten it."""
    bench = FlipBench(config=GUARDED, settings={"hints": 0}, around=Surroundings(latency=(20, 20), compute=(20, 20)))

    async def drive(ctx):
        for when in ("filling", "granted"):
            for bit in range(stored_bits(GUARDED, KEY_BITS)):
                first, expert = len(bench.granted), bit % 8
                await bench.send_event(ctx, router_beats(bit % 2 + (when == "granted") * 2, [[expert]]))
                while not (bench.bursts if when == "filling" else len(bench.granted) > first):
                    await ctx.tick()
                slot = next(record.slot for _, record in reversed(bench.log) if record.kind == Kind.ISSUE)
                told = bench.told
                bench.flip(ctx, "keys", slot, bit)
                await bench.wait_end(ctx)
                assert bench.granted[first:] == [(bit % 2 + (when == "granted") * 2, expert)]
                assert bench.told > told

    bench.run(drive, bench.watch, limit=6000, watch_counters=False)
    assert all(status == GrantStatus.MISS for _, status in bench.grants)


@pytest.mark.parametrize("seed", [2])
def test_flips_anywhere_at_any_time(seed):
    """Prefetches on their way among them; every event ends, with its members granted and their bytes right."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    bench = FlipBench(
        config=GUARDED, seed=seed, around=Surroundings(latency=(2, 25), error=0.05),
        settings={"n_slots": 5, "victim_policy": seed % 2, "abort_policy": seed, "expert_beats": 4},
    )  # fmt: skip
    widths = {"keys": KEY_BITS, "ticks": 32, "stamps": 32, "slot_of_key": GUARDED.slot_bits}

    async def strike(ctx):
        while True:
            for _ in range(rng.randrange(1, 40)):
                await ctx.tick()
            name = rng.choice(("keys", "keys", "slot_of_key", "ticks", "stamps"))
            index = rng.randrange(32) if name == "slot_of_key" else rng.randrange(5)
            bench.flip(ctx, name, index, rng.randrange(widths[name] + 1))

    async def drive(ctx):
        for number in range(25):
            layer, experts = number % 4, rng.sample(range(8), 2)
            first = len(bench.granted)
            await bench.send_event(ctx, router_beats(layer, [experts]))
            await bench.send_hints(ctx, hint_beats((layer + 1) % 4, rng.sample(range(8), 3), rng))
            await bench.wait_end(ctx)
            for _ in range(4):
                await ctx.tick()
            assert sorted(bench.granted[first:]) == sorted((layer, expert) for expert in experts)
        await bench.quiet(ctx, COUNTER_CYCLES)

    bench.run(drive, bench.watch, strike, limit=20_000)
    assert bench.counters["parity_errors"] == bench.told > 20
    assert bench.scrubbed() > 3

"""Does the replay memory answer in exactly the cycles of its docstring, with the bytes of its pattern?"""

import random

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.replay_memory import ReplayMemory
from moefetch.hw.replay_pattern import pattern_bytes

TINY = UNIT_PRESETS["tiny"]


def read(config, bursts, *, stall=None, until=4000, **settings):
    """Offer bursts (cycle, address, beats, id); return accept cycles and beats (cycle, id, data, resp, last)."""
    memory = ReplayMemory(config=config)
    accepted, beats = [], []
    values = {"latency": 1, "cycles_per_beat": 1, "outstanding": 64} | settings
    total = sum(burst[2] for burst in bursts)

    async def drive(ctx):
        for name, value in values.items():
            for index, item in enumerate(value if isinstance(value, tuple) else ()):
                ctx.set(getattr(memory, name)[index], item)
            if not isinstance(value, tuple):
                ctx.set(getattr(memory, name), value)
        axi = memory.axi
        sampled = (axi.arvalid, axi.arready, axi.rvalid, axi.rready, axi.rid, axi.rdata, axi.rresp, axi.rlast)
        cycle = 0
        waiting = list(bursts)
        while len(beats) < total:
            ctx.set(axi.rready, stall is None or stall(cycle))
            ctx.set(axi.arvalid, bool(waiting and waiting[0][0] <= cycle))
            if waiting:
                _, address, length, rid = waiting[0]
                ctx.set(axi.araddr, address)
                ctx.set(axi.arlen, length - 1)
                ctx.set(axi.arid, rid)
            _, _, arvalid, arready, rvalid, rready, rid, word, resp, last = await ctx.tick().sample(*sampled)
            if arvalid and arready:
                accepted.append(cycle)
                waiting.pop(0)
            if rvalid and rready:
                beats.append((cycle, rid, word.to_bytes(config.bus_bytes, "little"), resp, last))
            cycle += 1
            assert cycle < until, f"{len(beats)} of {total} beats"

    simulator = Simulator(memory)
    simulator.add_clock(1e-8)
    simulator.add_testbench(drive)
    simulator.run()
    return accepted, beats


def expected_cycles(accepted, bursts, latency, per_beat, background=lambda cycle: False):
    """Walk the channel cycle by cycle: the naive form of the docstring's rule."""
    cycles, free = [], 0
    for start, (_, _, beats, _) in zip(accepted, bursts, strict=True):
        cycle = max(start + latency, free)
        for _ in range(beats):
            worked = 0
            while worked < per_beat:
                worked += not background(cycle)
                cycle += 1
            cycles.append(cycle - 1)
        free = cycle
    return cycles


@pytest.mark.parametrize("latency", [1, 2, 3, 20])
@pytest.mark.parametrize("per_beat", [1, 2, 5])
def test_latency_of_one_burst(latency, per_beat):
    accepted, beats = read(TINY, [(3, 4096, 4, 1)], latency=latency, cycles_per_beat=per_beat)
    assert accepted == [3]
    assert [beat[0] for beat in beats] == [3 + latency + (k + 1) * per_beat - 1 for k in range(4)]
    assert [beat[4] for beat in beats] == [0, 0, 0, 1]


@pytest.mark.parametrize("seed", range(8))
def test_random_bursts_and_background(seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    config = UnitConfig(bus_bytes=rng.choice([4, 16, 128]))
    bursts = []
    start = 0
    for _ in range(20):
        start += rng.choice([0, 0, 1, 30])
        address = rng.getrandbits(52) * 4096 + rng.randrange(4) * config.bus_bytes
        bursts.append((start, address, rng.choice([1, 2, 3, 16]), rng.randrange(2)))
    latency, per_beat = rng.randrange(1, 25), rng.randrange(1, 4)
    period = rng.choice([0, 7, 40])
    length = rng.randrange(period) if period else 5
    accepted, beats = read(
        config, bursts, latency=latency, cycles_per_beat=per_beat, outstanding=rng.choice([1, 2, 8]),
        background_period=period, background_length=length,
    )  # fmt: skip

    def background(cycle):
        return bool(period) and cycle % period < length

    assert [beat[0] for beat in beats] == expected_cycles(accepted, bursts, latency, per_beat, background)
    assert [beat[1] for beat in beats] == [burst[3] for burst in bursts for _ in range(burst[2])]
    held = [pattern_bytes(a + k * config.bus_bytes, config.bus_bytes) for _, a, n, _ in bursts for k in range(n)]
    assert [beat[2] for beat in beats] == held
    assert all(beat[3] == 0 for beat in beats)


def test_background_phase_counts_from_run():
    memory = ReplayMemory(config=TINY)
    busy = []

    async def drive(ctx):
        for name, value in {"latency": 1, "cycles_per_beat": 1, "outstanding": 4, "run": 0}.items():
            ctx.set(getattr(memory, name), value)
        ctx.set(memory.background_period, 10)
        ctx.set(memory.background_length, 4)
        ctx.set(memory.axi.rready, 1)
        await ctx.tick().repeat(7)
        ctx.set(memory.run, 1)
        ctx.set(memory.axi.arvalid, 1)
        ctx.set(memory.axi.arlen, 15)
        for cycle in range(20):
            if ctx.get(memory.axi.rvalid):
                busy.append(cycle)
            await ctx.tick()

    simulator = Simulator(memory)
    simulator.add_clock(1e-8)
    simulator.add_testbench(drive)
    simulator.run()
    assert busy == [4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 18, 19]


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_bursts_beyond_the_limit_wait(limit):
    bursts = [(0, 64 * n, 4, 0) for n in range(10)]
    accepted, beats = read(TINY, bursts, latency=30, outstanding=limit)
    ends = [beat[0] for beat in beats if beat[4]]
    assert accepted[:limit] == list(range(limit))
    assert accepted[limit:] == [end + 1 for end in ends[: 10 - limit]]


def test_data_waits_for_ready():
    _, beats = read(TINY, [(0, 0, 6, 0)], stall=lambda cycle: cycle % 4 == 3)
    assert [beat[0] for beat in beats] == [3, 7, 11, 15, 19, 23]
    assert [beat[2] for beat in beats] == [pattern_bytes(4 * k, 4) for k in range(6)]


def test_errors_hit_the_first_bursts_that_hold_the_address():
    bursts = [(0, 0, 4, 0), (0, 16, 4, 0), (0, 32, 4, 0), (0, 16, 4, 1), (0, 24, 1, 1), (0, 28, 1, 0), (0, 12, 4, 0)]
    _, beats = read(TINY, bursts, error_address=(28, 12), error_count=(2, 1))
    by_burst = []
    for beat in beats:
        by_burst.append(beat[3])
    assert [by_burst[0:4], by_burst[4:8], by_burst[8:12], by_burst[12:16]] == [[2] * 4, [2] * 4, [0] * 4, [2] * 4]
    assert by_burst[16:] == [0, 0, 0, 0, 0, 0]


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_bad_parameters_are_refused():
    with pytest.raises(ValueError, match="capacity = 0: must be at least 1"):
        ReplayMemory(config=TINY, capacity=0)
    with pytest.raises(ValueError, match="error_entries = 0: must be at least 1"):
        ReplayMemory(config=TINY, error_entries=0)

"""Does the counter file count exactly, keep its laws over clear and snapshot, and answer when it says?"""

import random

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.counter_names import (
    ALIASES,
    COUNTER_INDEX,
    COUNTERS,
    CYCLE_WIDTH,
    EVENT_WIDTH,
    LAWS,
    Advance,
    broken_laws,
)  # fmt: skip
from moefetch.hw.counters import CounterFile

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")

CONFIG = UNIT_PRESETS["tiny"]
COUNTS = {"flushed": "flushed", "bank_conflicts": "conflicts"}


def run(body):
    dut = CounterFile(config=CONFIG)
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)

    async def testbench(ctx):
        await body(ctx, dut)

    simulator.add_testbench(testbench)
    simulator.run()


async def read_all(ctx, dut):
    values = {}
    for name in COUNTERS:
        ctx.set(dut.port.index, COUNTER_INDEX[name])
        await ctx.tick()
        values[name] = ctx.get(dut.port.value)
    return values


async def strobe(ctx, dut, clear=0):
    ctx.set(dut.port.snapshot, 1)
    ctx.set(dut.port.clear, clear)
    await ctx.tick()
    ctx.set(dut.port.snapshot, 0)
    ctx.set(dut.port.clear, 0)


async def snapshot(ctx, dut):
    """Take a snapshot, and wait until it can be read."""
    await strobe(ctx, dut)
    await ctx.tick().repeat(CounterFile.snapshot_latency - 1)


def test_table_is_complete_and_consistent():
    used = {name for law in LAWS.items() for name in (law[0], *law[1])}
    assert used <= COUNTERS.keys() | ALIASES.keys()
    assert all(counter.text.endswith(".") for counter in COUNTERS.values())
    assert {counter.width for counter in COUNTERS.values()} == {EVENT_WIDTH, CYCLE_WIDTH}


def test_broken_law_is_named():
    values = dict.fromkeys(COUNTERS, 0)
    assert broken_laws(values) == []
    assert broken_laws(values | {"demand": 2, "hit": 1, "hit_reuse": 1}) == [
        "demand = 2, but hit + late + miss = 1",
    ]
    assert broken_laws(values | {"demand": 0, "hit_reuse": 2, "hit": 2, "miss": 2**32 - 2}) == []


def test_random_pulses_are_counted():
    seed = random.getrandbits(32)
    print("seed", seed)
    rng = random.Random(seed)

    async def body(ctx, dut):
        expected = dict.fromkeys(COUNTERS, 0)
        for _ in range(300):
            for name, counter in COUNTERS.items():
                if counter.advance is Advance.PULSE:
                    step = rng.getrandbits(1)
                    ctx.set(dut.pulse[name], step)
                elif counter.advance is Advance.COUNT:
                    step = rng.randrange(CONFIG.n_pe + 1)
                    ctx.set(getattr(dut, COUNTS[name]), step)
                else:
                    expected[name] = rng.randrange(CONFIG.queue_depth)
                    ctx.set(dut.gauges[name], expected[name])
                    continue
                expected[name] += step
            before = dict(expected)
            await ctx.tick()
        ctx.set(dut.pulse, {name: 0 for name in dut.pulse.shape().members})
        ctx.set(dut.flushed, 0)
        ctx.set(dut.conflicts, 0)
        await snapshot(ctx, dut)
        assert await read_all(ctx, dut) == before

    run(body)


@pytest.mark.parametrize("name", ["miss", "cycles"])  # of the commit log, and not
def test_pulse_is_in_its_cycles_snapshot_and_not_in_one_before(name):
    async def body(ctx, dut):
        ctx.set(dut.port.index, COUNTER_INDEX[name])
        await strobe(ctx, dut)
        ctx.set(dut.pulse[name], 1)
        await ctx.tick()
        ctx.set(dut.pulse[name], 0)
        await ctx.tick().repeat(6)
        assert ctx.get(dut.port.value) == 0
        ctx.set(dut.pulse[name], 1)
        await strobe(ctx, dut)
        ctx.set(dut.pulse[name], 0)
        await ctx.tick().repeat(CounterFile.snapshot_latency - 1)
        await ctx.tick()
        assert ctx.get(dut.port.value) == 2

    run(body)


def test_all_of_a_snapshot_can_be_read_after_its_latency():
    async def body(ctx, dut):
        ctx.set(dut.pulse, {name: 1 for name in dut.pulse.shape().members})
        await ctx.tick()
        ctx.set(dut.pulse, {})
        ctx.set(dut.port.index, COUNTER_INDEX["cycles"])
        await strobe(ctx, dut)
        for _ in range(CounterFile.snapshot_latency - 1):
            await ctx.tick()
            assert ctx.get(dut.port.value) == 0, "n - 1"
        await ctx.tick()
        assert ctx.get(dut.port.value) == 1, "n"

    run(body)


def test_value_follows_the_index_by_one_cycle():
    async def body(ctx, dut):
        ctx.set(dut.pulse.hit, 1)
        await ctx.tick()
        ctx.set(dut.pulse.hit, 0)
        await snapshot(ctx, dut)
        ctx.set(dut.port.index, COUNTER_INDEX["miss"])
        await ctx.tick()
        ctx.set(dut.port.index, COUNTER_INDEX["hit"])
        assert ctx.get(dut.port.value) == 0
        await ctx.tick()
        assert ctx.get(dut.port.value) == 1
        assert CounterFile.latency == 1

    run(body)


def test_clear_keeps_the_laws_with_prefetches_open_and_counts_what_comes_after():
    async def body(ctx, dut):
        issue = {"generated": 1, "issued": 1}
        for _ in range(3):
            ctx.set(dut.pulse, issue)
            await ctx.tick()
            ctx.set(dut.gauges.open, ctx.get(dut.gauges.open) + 1)
        ctx.set(dut.pulse, {"generated": 1})  # one stays queued
        await ctx.tick()
        ctx.set(dut.gauges.queued_open, 1)
        ctx.set(dut.pulse, {})
        await strobe(ctx, dut, clear=1)
        ctx.set(dut.pulse, issue)  # the first that the clear does not forget
        await ctx.tick()
        ctx.set(dut.gauges.open, 4)
        ctx.set(dut.pulse, {})
        await ctx.tick()
        before = await read_all(ctx, dut)
        assert (before["generated"], before["issued"], before["open"]) == (4, 3, 3)
        assert broken_laws(before) == []
        ctx.set(dut.pulse, {"demand": 1, "hit": 1, "hit_prefetch": 1, "on_target": 1})
        await ctx.tick()
        ctx.set(dut.gauges.open, 3)
        ctx.set(dut.pulse, {})
        await snapshot(ctx, dut)
        after = await read_all(ctx, dut)
        assert (after["generated"], after["issued"], after["open"], after["hit"]) == (5, 4, 3, 1)
        assert broken_laws(after) == []

    run(body)


def test_event_counters_wrap_at_32_bits_and_cycle_counters_do_not():
    async def body(ctx, dut):
        ctx.set(dut.pulse, {"hit": 1, "cycles": 1})
        start = (1 << EVENT_WIDTH) - 2
        for name in ("hit", "cycles"):
            ctx.set(next(s for s in registers if s.name == name), start)
        for _ in range(3):
            await ctx.tick()
        ctx.set(dut.pulse, {})
        await snapshot(ctx, dut)
        values = await read_all(ctx, dut)
        assert (values["hit"], values["cycles"]) == (1, (1 << EVENT_WIDTH) + 1)

    dut = CounterFile(config=CONFIG)
    module = dut.elaborate(None)
    registers = [signal for signal in _driven(module) if signal.name in ("hit", "cycles")]
    simulator = Simulator(module)
    simulator.add_clock(1e-6)

    async def testbench(ctx):
        await body(ctx, dut)

    simulator.add_testbench(testbench)
    simulator.run()


def _driven(module):
    return [signal for statement in module._statements.get("sync", []) for signal in statement._lhs_signals()]


def test_config_must_be_a_unit_config():
    with pytest.raises(TypeError, match="config must be a UnitConfig, not 'tiny'"):
        CounterFile(config="tiny")

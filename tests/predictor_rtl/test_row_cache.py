"""Do weight tables in memory, with a cache of rows on chip, predict and learn as with all of them on chip?"""

import os
import random

import numpy as np
import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.weights import WeightsPredictor
from moefetch.sim.predictors.weights import Weights

from .bench import Event, make_rng, random_events
from .page_memory import PageMemory
from .paged_bench import PagedBench
from .test_weights import FOUR, access, golden_beats

TINY = UNIT_PRESETS["tiny"]


def geometry(layers, experts, lanes, bits, sources, *, ways=2, ahead=1, bus_bytes=4):
    return TINY.replace(
        max_layers=layers, max_experts=experts, predictors=("weights",), weight_lanes=lanes, weight_bits=bits,
        weight_sources=sources, weight_ahead=ahead, weight_ways=ways, bus_bytes=bus_bytes,
    )  # fmt: skip


GEOMETRIES = {
    "words as wide as the bus": (geometry(4, 8, 4, 5, FOUR), 4, 8),
    "a wide bus": (geometry(3, 12, 4, 3, ((2, 0), (1, 0)), ways=4, bus_bytes=8), 3, 11),
    "a row narrower than the bus": (geometry(2, 8, 4, 4, ((1, 0), (0, 1)), bus_bytes=64), 2, 8),
    "a narrow bus": (geometry(3, 9, 16, 6, ((1, 0), (0, 1)), ways=8), 3, 9),
    "a row a line": (geometry(5, 8, 8, 8, ((1, 0),), ways=4, bus_bytes=8), 5, 8),
    "one layer": (geometry(1, 6, 4, 4, ((1, 0), (0, 1))), 1, 6),
    "two events ahead": (geometry(4, 8, 4, 4, ((2, 0), (3, 0), (0, 1)), ahead=2), 4, 8),
}
QUICK = ("words as wide as the bus", "a row narrower than the bus", "a narrow bus")
EVENTS = 60 if "MOEFETCH_SLOW" in os.environ else 10


def make_bench(config, seed, *, memory=None, delay=(0, 4), **options):
    memory = memory or PageMemory(config, seed, delay=delay)
    return PagedBench(config, dut=WeightsPredictor(config=config), memory=memory, **options)


def tables(bench, golden):
    """Return the tables that memory holds, in the golden model's shape."""
    found = np.zeros_like(golden.tables)
    for layer, source, expert in np.ndindex(*found.shape[:3]):
        row = bench.memory.row(layer, source, expert)
        assert not any(row[golden.n_experts :])
        found[layer, source, expert] = row[: golden.n_experts]
    return found


async def check_tables(ctx, bench, golden):
    """Quiesce and require that memory holds the golden model's tables, and that nothing is left on chip."""
    await bench.quiesce(ctx)
    assert (tables(bench, golden) == golden.tables).all()
    loads = bench.pulses["table_loads"]
    await access(ctx, bench, (0, 0, 0, 0))
    assert bench.pulses["table_loads"] == loads + 1, "a row was left on chip"


@pytest.mark.parametrize("name", GEOMETRIES if "MOEFETCH_SLOW" in os.environ else QUICK)
def test_lockstep_with_golden(name):
    """Unions of more members than there are ways, and events on the heels of each other, among them."""
    config, n_layers, n_experts = GEOMETRIES[name]
    rng = make_rng(name)
    min_score, burst_beats = rng.choice([0, 120]), rng.choice([1, 3, 256])
    delay = rng.choice([(0, 0), (0, 4), (5, 20)])
    geometry_of_run = {"n_layers": n_layers, "n_experts": n_experts}
    bench = make_bench(
        config, name, delay=delay, min_score=min_score, rng=rng, burst_beats=burst_beats, **geometry_of_run
    )
    golden = Weights(*geometry_of_run.values(), config.weight_rules, min_score=min_score)

    async def testbench(ctx):
        for event in random_events(rng, EVENTS, n_layers, n_experts, 3, empty=True):
            bench.ready_chance = rng.choice([1.0, 0.3])
            bench.candidates.clear()
            await bench.send(ctx, event, gaps=True)
            named = golden_beats(golden, event)
            if rng.random() < 0.7:
                await bench.settle(ctx)
            else:  # the next event comes while rows for it are under way
                while len(bench.candidates) < len(named):
                    await ctx.tick()
            assert bench.candidates == named, event
            if rng.random() < 0.1:
                await check_tables(ctx, bench, golden)
        await bench.settle(ctx)
        await check_tables(ctx, bench, golden)

    bench.run(testbench)
    assert bench.pulses["table_late"] and bench.pulses["table_hits"]
    assert any(write for write, *_ in bench.memory.log) and not bench.pulses["table_errors"]


def test_errors_are_repeated_and_counted_and_cost_no_more_than_their_words():
    """A read given up leaves weights of 0, a write given up those of before; all else is as ever.

    No row is taught that is not on chip, so an event's rows are lost before it is predicted or after it is learnt.
    """
    config, n_layers, n_experts = geometry(3, 8, 4, 5, ((1, 0), (2, 0)), ways=4), 3, 8
    rng, retries = make_rng("errors"), 1
    golden = Weights(n_layers, n_experts, config.weight_rules)
    memory = PageMemory(config, "errors", delay=(0, 3), retries=retries)
    chance = random.Random("chance")
    memory.error = lambda write, address, attempt: chance.random() < (0.6 if attempt else 0.25)
    bench = make_bench(config, "errors", memory=memory, n_layers=n_layers, n_experts=n_experts, retries=retries)
    lost = {False: 0, True: 0}

    def give_up(write, addresses):
        """Let the golden model's weights be what those words leave: memory's after a write, 0 after a read."""
        lost[write] += 1
        for address in addresses:
            number, place = divmod(address, memory.layout.row_bytes)
            layer, source, expert = number >> 4, number >> 3 & 1, number & 7
            left = memory.row(layer, source, expert)[place : place + config.bus_bytes]
            golden.tables[layer, source, expert, place : place + config.bus_bytes] = left if write else 0

    memory.given_up = give_up

    async def testbench(ctx):
        for number in range(24):
            bench.candidates.clear()
            event = Event(number, number % n_layers, number == 0, tuple(rng.sample(range(n_experts), 3)))
            await bench.send(ctx, event)
            while len(bench.candidates) < n_experts:
                await ctx.tick()
            assert bench.candidates == golden_beats(golden, event), event
            await bench.settle(ctx)
        assert bench.pulses["table_lost"] == sum(lost.values()) and all(lost.values())
        assert bench.pulses["table_retries"] and bench.pulses["table_errors"] == sum(fails for *_, fails in memory.log)
        memory.error = lambda write, address, attempt: False
        await check_tables(ctx, bench, golden)

    bench.run(testbench)


def test_the_port_sees_all_rows():
    """What it writes counts from the next event on, wherever the row lies; an access waits for its row."""
    config, n_layers, n_experts = geometry(3, 8, 8, 5, FOUR), 3, 8
    rng = make_rng("port")
    bench = make_bench(config, "port", n_layers=n_layers, n_experts=n_experts, rng=rng)
    golden = Weights(n_layers, n_experts, config.weight_rules)

    async def testbench(ctx):
        for event in random_events(rng, 8, n_layers, n_experts, 3):
            bench.candidates.clear()
            await bench.send(ctx, event)
            await bench.settle(ctx)
            assert bench.candidates == golden_beats(golden, event), event
            if event.event % 4 == 3:
                for _ in range(12):
                    place = tuple(rng.randrange(count) for count in (n_layers, 4, n_experts, 2))
                    values = [rng.randint(-16, 15) for _ in range(4)]
                    layer, source, row, quad = place
                    golden.tables[layer, source, row, 4 * quad : 4 * quad + 4] = values
                    data = int.from_bytes(np.array(values, np.int8).tobytes(), "little")
                    await access(ctx, bench, place, data)
                    read, cycles = await access(ctx, bench, place)
                    assert read == data and cycles == 8
        await check_tables(ctx, bench, golden)

    bench.run(testbench)


def test_rows_that_are_there_cost_their_cycles_and_no_more():
    """Two cycles a row and two a run, on top of the predictor with all tables on chip."""
    config = geometry(2, 16, 4, 5, ((1, 0), (0, 1)), ways=8)
    bench = make_bench(config, "cycles", n_layers=2, n_experts=16, min_score=0)
    members = (1, 2, 3)

    async def testbench(ctx):
        for number in range(8):
            await bench.send(ctx, Event(number, number % 2, number == 0, members))
            await bench.settle(ctx)
        loads, wait = bench.pulses["table_loads"], bench.pulses["table_wait"]
        bench.offered.clear()
        last_beat = await bench.send(ctx, Event(8, 0, False, members))
        await bench.settle(ctx)
        assert bench.offered[0][0] - last_beat == bench.dut.prediction_latency(3, 16)
        last_beat = await bench.send(ctx, Event(9, 1, False, members))
        accepted = await bench.send(ctx, Event(10, 0, False, members))
        assert accepted - last_beat == bench.dut.event_latency(3, 6, [3], 16) + len(members) - 1
        assert (bench.pulses["table_loads"], bench.pulses["table_wait"]) == (loads, wait)

    bench.run(testbench)


def test_without_tables_in_use_events_pass_and_memory_is_left_alone():
    config = geometry(4, 8, 4, 5, FOUR)
    bench = make_bench(config, "off", n_layers=4, n_experts=8)
    bench.control["enable"] = 0

    async def testbench(ctx):
        for number in range(8):
            await bench.send(ctx, Event(number, number % 4, number == 0, (1, 5)))
            await bench.settle(ctx)
        assert not bench.candidates and not bench.memory.log
        ctx.set(bench.dut.page_control.enable, 1)
        for number in (8, 9):
            await bench.send(ctx, Event(number, number % 4, False, (1, 5)))
            await bench.settle(ctx)
        assert len(bench.candidates) == 16
        assert bench.pulses["table_loads"] and not any(write for write, *_ in bench.memory.log)

    bench.run(testbench)

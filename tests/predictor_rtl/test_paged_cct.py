"""Does a predictor with its tables in memory name what it names with all of them on chip, and lose no update?"""

import random

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.st_moe import StMoePredictor
from moefetch.sim.predictors.interface import PredictorEvent
from moefetch.sim.predictors.st_moe import StMoe

from .bench import Bench, Event, make_rng, random_events
from .page_memory import PageMemory
from .page_monitor import PageMonitor
from .paged_bench import PagedBench

TINY = UNIT_PRESETS["tiny"]


def geometry(layers, experts, top_k, *, window=3, lanes=1, bus_bytes=4):
    return TINY.replace(
        max_layers=layers, max_experts=experts, max_top_k=top_k, predictor_lanes=lanes, predictors=("st_moe",),
        bus_bytes=bus_bytes, table_window=window,
    )  # fmt: skip


GEOMETRIES = {
    "a row a word": (geometry(4, 8, 2), 4, 8),
    "a row of several words": (geometry(5, 20, 6), 5, 17),
    "several rows a word": (geometry(7, 20, 4, window=4, lanes=2, bus_bytes=32), 7, 20),
    "a page smaller than a word": (geometry(6, 4, 2, bus_bytes=128), 6, 4),
    "several bursts a page": (geometry(6, 64, 3, lanes=3, bus_bytes=8), 6, 61),
    "fewer layers than the window": (geometry(5, 9, 4, window=5), 2, 9),
    "one layer": (geometry(3, 6, 1), 1, 6),
    "as many layers as the window": (geometry(3, 7, 2), 3, 7),
}


def make_bench(config, **options):
    """Return a bench whose `monitor` knows by itself which pages are late."""
    predictor = StMoePredictor(config=config)
    monitor = PageMonitor(predictor._table._window)
    bench = PagedBench(config, dut=predictor, watchers=[monitor.watch], **options)
    bench.monitor = monitor
    return bench


async def check_tables(ctx, bench, golden):
    """Quiesce and require that memory holds the golden model's tables."""
    await bench.quiesce(ctx)
    assert not any(ctx.get(page.valid) for page in bench.dut._table.held)
    for layer in range(golden.n_layers):
        rows = golden.cct_rows(layer)
        found = [bench.memory.row(layer, row)[: golden.top_k] for row in range(golden.n_experts)]
        assert found == rows, f"layer {layer}"


def play(bench, golden, events, *, rng, quiesce=0.1):
    """Return a test bench that plays events and compares candidates, and sometimes tables."""

    async def testbench(ctx):
        for event in events:
            bench.ready_chance = rng.choice([1.0, 0.3])
            bench.candidates.clear()
            await bench.send(ctx, event, gaps=True)
            members = PredictorEvent(event.event, event.layer, event.sequence_start, event.members)
            named = [tuple(candidate) for candidate in golden.step(members)]
            if rng.random() < 0.5:
                await bench.settle(ctx)
                assert bench.candidates == named, event
            else:  # on the heels of the emission, with pages still under way
                while not (len(bench.candidates) == len(named) and ctx.get(bench.dut.event.ready)):
                    await ctx.tick()
                assert bench.candidates == named, event
            if rng.random() < quiesce:
                await check_tables(ctx, bench, golden)
        await bench.settle(ctx)
        await check_tables(ctx, bench, golden)

    return testbench


@pytest.mark.parametrize("name", GEOMETRIES)
def test_lockstep_with_golden(name):
    config, n_layers, n_experts = GEOMETRIES[name]
    rng = make_rng(name)
    memory = PageMemory(config, name, delay=rng.choice([(0, 0), (0, 4), (10, 40)]))
    bench = make_bench(
        config, memory=memory, n_layers=n_layers, n_experts=n_experts, rng=rng, burst_beats=rng.choice([1, 3, 16, 256])
    )
    golden = StMoe(n_layers, n_experts, config.max_top_k)
    events = random_events(rng, 24, n_layers, n_experts, config.max_top_k)
    bench.run(play(bench, golden, events, rng=rng))
    assert len(bench.monitor.loads) == bench.pulses["table_loads"]
    assert sum(late for _, late in bench.monitor.loads) == bench.pulses["table_late"] > 0
    if n_layers > config.table_window:  # else every page comes once, when the first events wait for it
        assert bench.pulses["table_ahead"]
    assert any(write for write, *_ in memory.log) and not bench.pulses["table_errors"]


def test_errors_are_repeated_and_counted_and_cost_no_more_than_their_rows():
    """A read given up leaves empty rows, a write given up the rows of before; all else is as ever."""
    config, n_layers, n_experts = geometry(5, 12, 4, bus_bytes=16), 5, 12
    rng, retries = make_rng("errors"), 1
    golden = StMoe(n_layers, n_experts, config.max_top_k)
    memory = PageMemory(config, "errors", delay=(0, 3), retries=retries)
    chance = random.Random("chance")
    memory.error = lambda write, address, attempt: chance.random() < (0.6 if attempt else 0.25)
    bench = make_bench(config, memory=memory, n_layers=n_layers, n_experts=n_experts, rng=rng, retries=retries)
    lost = {False: 0, True: 0}

    def give_up(write, addresses):
        """Let the golden model's rows be what those words leave: memory's after a write, none after a read."""
        lost[write] += 1
        layout = memory.layout
        for address in addresses:
            layer, offset = divmod(address, layout.page_bytes)
            first = offset // layout.row_bytes
            for row in range(first, min(first + config.bus_bytes // layout.row_bytes, n_experts)):
                entries = memory.row(layer, row) if write else [(place, 0) for place in range(config.max_top_k)]
                set_row(golden, layer, row, entries)

    memory.given_up = give_up

    async def testbench(ctx):
        for event in random_events(rng, 40, n_layers, n_experts, config.max_top_k):
            bench.candidates.clear()
            await bench.send(ctx, event)
            members = PredictorEvent(event.event, event.layer, event.sequence_start, event.members)
            named = [tuple(candidate) for candidate in golden.step(members)]
            await bench.settle(ctx)
            assert bench.candidates == named, event
        assert bench.pulses["table_lost"] == sum(lost.values()) and all(lost.values())
        assert bench.pulses["table_retries"] and bench.pulses["table_errors"] == sum(fails for *_, fails in memory.log)

    bench.run(testbench)


def test_same_candidates_as_with_all_tables_on_chip():
    config, n_layers, n_experts = geometry(5, 12, 3, bus_bytes=8), 5, 12
    rng = make_rng("beside")
    events = random_events(rng, 24, n_layers, n_experts, config.max_top_k)
    named = []
    for window in (0, 3):
        unit = config.replace(table_window=window)
        settings = {"n_layers": n_layers, "n_experts": n_experts}
        bench = make_bench(unit, memory=PageMemory(unit, "beside"), **settings) if window else Bench(unit, **settings)

        async def testbench(ctx, bench=bench):
            for event in events:
                await bench.send(ctx, event)
                await bench.settle(ctx)

        bench.run(testbench)
        named.append(bench.candidates)
    assert named[0] == named[1] and len(named[0]) > 24


def test_without_tables_in_use_events_pass_and_memory_is_left_alone():
    config = geometry(4, 8, 2)
    memory = PageMemory(config, "off")
    bench = make_bench(config, memory=memory, n_layers=4, n_experts=8)
    bench.control["enable"] = 0

    async def testbench(ctx):
        for number in range(8):
            await bench.send(ctx, Event(number, number % 4, number == 0, (1, 5)))
            await bench.settle(ctx)
        assert not bench.candidates and not memory.log
        ctx.set(bench.dut.page_control.enable, 1)
        await bench.send(ctx, Event(8, 0, False, (1, 5)))
        await bench.settle(ctx)
        # The history knows layer 1 all the same; the rows of layer 3 learn from now on, and then give way to layer 2's.
        assert [expert for _, _, expert, *_ in bench.candidates] == [1, 5]
        assert [layer for write, layer, *_ in memory.log if write] == [3]
        assert {layer for write, layer, *_ in memory.log if not write} == {0, 1, 2, 3}

    bench.run(testbench)


def set_row(golden, layer, row, entries):
    golden._cct_experts[layer][row][:] = [expert for expert, _ in entries]
    golden._cct_confidences[layer][row][:] = [confidence for _, confidence in entries]

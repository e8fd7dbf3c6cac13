"""Does the weight predictor name the golden model's candidates, hold its tables, and keep its latencies?"""

import numpy as np
import pytest
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.predictor_rtl.weights import WeightsPredictor
from moefetch.sim.predictors.interface import PredictorEvent
from moefetch.sim.predictors.weights import Weights

from .bench import Bench, Event, make_rng, random_events

TINY = UNIT_PRESETS["tiny"]
FOUR = ((1, 0), (2, 0), (3, 0), (0, 1))


def geometry(layers, experts, lanes, bits, sources, ahead=1):
    return TINY.replace(
        weight_ahead=ahead,
        max_layers=layers,
        max_experts=experts,
        predictors=("weights",),
        weight_lanes=lanes,
        weight_bits=bits,
        weight_sources=sources,
    )


GEOMETRIES = {
    "several groups": (geometry(4, 16, 4, 5, FOUR), 4, 16),
    "part of the geometry": (geometry(8, 16, 4, 3, FOUR), 5, 11),
    "one group": (geometry(4, 8, 32, 4, ((1, 0), (0, 1), (4, 0))), 3, 8),
    "not a power of two": (geometry(5, 20, 8, 2, ((2, 0), (1, 0))), 5, 20),
    "one source": (geometry(3, 6, 4, 8, ((1, 0),)), 3, 6),
    "one layer": (geometry(1, 6, 4, 4, ((1, 0), (0, 1))), 1, 6),
    "two events ahead": (geometry(4, 8, 4, 4, ((2, 0), (3, 0), (0, 1)), 2), 4, 8),
    "two ahead on one layer": (geometry(1, 6, 4, 3, ((0, 1), (2, 0)), 2), 1, 6),
    "two layers": (geometry(2, 12, 4, 6, FOUR), 2, 12),
}


def golden_beats(golden, event):
    """Step the golden model; return the candidate beats that it expects."""
    found = golden.step(PredictorEvent(event.event, event.layer, event.sequence_start, event.members))
    return [tuple(candidate) for candidate in found]


def make_bench(config, n_layers, n_experts, **options):
    return Bench(config, n_layers=n_layers, n_experts=n_experts, dut=WeightsPredictor(config=config), **options)


def weights(ctx, bench, n_layers, n_experts):
    """Return the tables as the golden model's, read from the simulated memory behind the port's back."""
    config, table = bench.config, bench.dut._tables
    lanes, bits = bench.dut._engine._lanes, config.weight_bits
    groups = bench.dut._engine.groups(config.max_experts)
    group_bits = (groups - 1).bit_length()
    found = np.zeros((n_layers, len(config.weight_sources), n_experts, groups * lanes), np.int8)
    for layer, source, expert, group in np.ndindex(*found.shape[:3], groups):
        address = ((source << config.layer_bits | layer) << config.expert_bits | expert) << group_bits | group
        word = ctx.get(table.contents[address])
        for lane in range(lanes):
            weight = word >> bits * lane & (1 << bits) - 1
            found[layer, source, expert, group * lanes + lane] = weight - (weight >> bits - 1 << bits)
    assert not found[..., n_experts:].any()
    return found[..., :n_experts]


@pytest.mark.parametrize("name", GEOMETRIES)
def test_lockstep_with_golden(name):
    config, n_layers, n_experts = GEOMETRIES[name]
    rng = make_rng(len(name))
    min_score = rng.choice([0, 120])
    bench = make_bench(config, n_layers, n_experts, min_score=min_score, rng=rng)
    golden = Weights(n_layers, n_experts, config.weight_rules, min_score=min_score)
    named = 0

    async def testbench(ctx):
        nonlocal named
        for event in random_events(rng, 48, n_layers, n_experts, 3, empty=True):
            bench.ready_chance = rng.choice([1.0, 0.3])
            bench.candidates.clear()
            await bench.send(ctx, event, gaps=True)
            await bench.settle(ctx)
            assert bench.candidates == golden_beats(golden, event), event
            named += len(bench.candidates)
            if event.event % 12 == 11:
                assert (weights(ctx, bench, n_layers, n_experts) == golden.tables).all(), event

    bench.run(testbench)
    assert named


def test_events_on_the_heels_of_each_other_cut_emissions():
    config, n_layers, n_experts = geometry(4, 12, 4, 4, FOUR), 4, 12
    rng = make_rng(5)
    bench = make_bench(config, n_layers, n_experts, rng=rng)
    golden = Weights(n_layers, n_experts, config.weight_rules)
    n_cut = 0

    async def testbench(ctx):
        nonlocal n_cut
        previous = []
        for event in random_events(rng, 60, n_layers, n_experts, 3, empty=True):
            bench.ready_chance = rng.choice([1.0, 0.1])
            await bench.send(ctx, event)
            assert bench.candidates == previous[: len(bench.candidates)], event
            n_cut += len(bench.candidates) < len(previous)
            bench.candidates.clear()
            previous = golden_beats(golden, event)
            if rng.random() < 0.3:
                await bench.settle(ctx)
                assert bench.candidates == previous, event

    bench.run(testbench)
    assert n_cut > 10


def test_not_selected_it_learns_silently():
    config = geometry(3, 8, 4, 5, FOUR)
    rng = make_rng(6)
    bench = make_bench(config, 3, 8, rng=rng, enable=0)
    golden = Weights(3, 8, config.weight_rules)

    async def testbench(ctx):
        for event in random_events(rng, 30, 3, 8, 2):
            chosen = event.event >= 20
            ctx.set(bench.dut.enable, chosen)
            await bench.send(ctx, event)
            ctx.set(bench.dut.enable, 1 - chosen)
            await bench.settle(ctx)
            beats = golden_beats(golden, event)
            assert bench.candidates == (beats if chosen else [])
            bench.candidates.clear()

    bench.run(testbench)


async def access(ctx, bench, address, data=None):
    """Read four weights, or write them; return what was read and the cycles that it took."""
    port = bench.dut.weights
    for name, value in zip(("layer", "source", "row", "quad"), address, strict=True):
        ctx.set(getattr(port, name), value)
    ctx.set(port.write, data is not None)
    ctx.set(port.data, data or 0)
    ctx.set(port.request, 1)
    start = bench.cycle
    while not ctx.get(port.done):
        await ctx.tick()
    taken, read = bench.cycle - start, ctx.get(port.read_data)
    await ctx.tick()
    ctx.set(port.request, 0)
    return read, taken


def test_tables_written_through_the_port_count_from_the_next_event_on():
    """What was prepared before is void, the next prediction and all later ones are those of the golden model."""
    config, n_layers, n_experts = geometry(3, 16, 8, 5, FOUR), 3, 16
    rng = make_rng(7)
    bench = make_bench(config, n_layers, n_experts, rng=rng)
    golden = Weights(n_layers, n_experts, config.weight_rules)

    async def testbench(ctx):
        for event in random_events(rng, 24, n_layers, n_experts, 3):
            bench.candidates.clear()
            await bench.send(ctx, event)
            await bench.settle(ctx)
            assert bench.candidates == golden_beats(golden, event), event
            if event.event % 4 == 3:
                for _ in range(20):
                    layer, source, row, quad = (rng.randrange(count) for count in (n_layers, 4, n_experts, 4))
                    values = [rng.randint(-16, 15) for _ in range(4)]
                    golden.tables[layer, source, row, 4 * quad : 4 * quad + 4] = values
                    data = int.from_bytes(np.array(values, np.int8).tobytes(), "little")
                    _, taken = await access(ctx, bench, (layer, source, row, quad), data)
                    assert taken == bench.dut._tables.port_latency
                    read, _ = await access(ctx, bench, (layer, source, row, quad))
                    assert read == data
        assert (weights(ctx, bench, n_layers, n_experts) == golden.tables).all()

    bench.run(testbench)


@pytest.mark.parametrize("members", [0, 1, 5])
@pytest.mark.parametrize("lanes", [4, 16])
def test_first_candidate_at_its_cycle(lanes, members):
    """An event that was prepared for, and one of another layer that was not."""
    config = geometry(4, 32, lanes, 5, FOUR)
    bench = make_bench(config, 4, 30)

    async def testbench(ctx):
        for number in range(6):
            await bench.send(ctx, Event(number, number % 4, number == 0, (1, 2, 3)))
            await bench.settle(ctx)
        for number, layer, latency in (
            (6, 2, bench.dut.prediction_latency(members, 30)),
            (7, 1, bench.dut.surprise_latency(members, [3, 3, members], 30)),
        ):
            bench.offered.clear()
            last_beat = await bench.send(ctx, Event(number, layer, False, tuple(range(members))))
            await bench.settle(ctx)
            assert bench.offered[0][0] - last_beat == latency
            assert bench.offered[7][0] - last_beat == latency + 7 * 5

    bench.run(testbench)


@pytest.mark.parametrize("lanes", [4, 16])
def test_next_event_waits_for_learning_and_preparing_and_no_longer(lanes):
    config = geometry(4, 16, lanes, 5, FOUR)
    bench = make_bench(config, 4, 16)

    async def testbench(ctx):
        for number in range(6):
            await bench.send(ctx, Event(number, number % 4, number == 0, (1, 2, 3)))
            await bench.settle(ctx)
        last_beat = await bench.send(ctx, Event(6, 2, False, (5, 6, 7, 8)))
        n_waits = bench.n_waits
        accepted = await bench.send(ctx, Event(7, 3, False, (1,)))
        assert accepted - last_beat == bench.dut.event_latency(4, 12, [3, 4, 3], 16)
        assert bench.n_waits - n_waits == accepted - last_beat - 1

    bench.run(testbench)


def test_target_of_250_cycles():
    """8 of 128 experts, six sources, default lanes: the eighth candidate within 250 cycles of the last beat."""
    sources = ((1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (0, 1))
    config = UnitConfig(max_layers=6, max_experts=128, predictors=("weights",), weight_sources=sources)
    bench = make_bench(config, 6, 128)

    async def testbench(ctx):
        for number in range(7):
            await bench.send(ctx, Event(number, number % 6, number == 0, tuple(range(number, number + 8))))
            await bench.settle(ctx)
        bench.offered.clear()
        last_beat = await bench.send(ctx, Event(7, 1, False, tuple(range(40, 48))))
        for _ in range(250):
            await ctx.tick()
        waited = await bench.send(ctx, Event(8, 2, False, (0,))) - last_beat
        print(
            f"first candidate {bench.offered[0][0] - last_beat}, eighth {bench.offered[7][0] - last_beat}, "
            f"next event accepted {waited} cycles after the last router beat"
        )
        assert bench.offered[7][0] - last_beat <= 250

    bench.run(testbench)

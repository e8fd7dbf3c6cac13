"""Does the ST-MoE predictor name the golden model's candidates, hold its tables, and keep its latencies?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.predictor_rtl.st_moe import StMoePredictor
from moefetch.sim.predictors.interface import PredictorEvent
from moefetch.sim.predictors.st_moe import StMoe

from .bench import Bench, Event, expected, make_rng, naive, random_events

TINY = UNIT_PRESETS["tiny"]


def geometry(layers, experts, top_k, lanes):
    return TINY.replace(
        max_layers=layers, max_experts=experts, max_top_k=top_k, predictor_lanes=lanes, predictors=("st_moe",)
    )


GEOMETRIES = {
    "tiny": (TINY, 4, 8),
    "one lane, part of the geometry": (geometry(4, 16, 4, 1), 3, 11),
    "two lanes, not a power of two": (geometry(5, 20, 4, 2), 5, 20),
    "all lanes, several groups": (geometry(3, 37, 4, 4), 3, 37),
    "one entry a row, one layer": (geometry(1, 6, 1, 1), 1, 6),
    "smallest experts": (geometry(2, 2, 2, 2), 2, 2),
    "whole set in a row": (geometry(3, 7, 7, 7), 3, 7),
}


@pytest.mark.parametrize("wrap", [True, False])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_lockstep_with_golden(name, wrap):
    config, n_layers, n_experts = GEOMETRIES[name]
    rng = make_rng(len(name) * 2 + wrap)
    min_score = rng.choice([0, 1, 2, 2, 5])
    bench = Bench(
        config,
        n_layers=n_layers,
        n_experts=n_experts,
        min_score=min_score,
        rng=rng,
        dut=StMoePredictor(config=config, wrap=wrap),
    )
    golden = StMoe(n_layers, n_experts, config.max_top_k, min_score=min_score, wrap=wrap)
    named_beats = 0

    async def testbench(ctx):
        nonlocal named_beats
        for event in random_events(rng, 50, n_layers, n_experts, config.max_top_k):
            bench.ready_chance = rng.choice([1.0, 0.3])
            bench.candidates.clear()
            await bench.send(ctx, event, gaps=True)
            await bench.settle(ctx)
            members = PredictorEvent(event.event, event.layer, event.sequence_start, event.members)
            assert bench.candidates == [tuple(candidate) for candidate in golden.step(members)], event
            named_beats += len(bench.candidates)
            for layer in range(n_layers):
                assert bench.rows(ctx, layer) == golden.cct_rows(layer), (event, layer)

    bench.run(testbench)
    assert named_beats or (n_layers == 1 and not wrap)


@pytest.mark.parametrize(("max_top_k", "lanes", "row_entries"), [(4, 1, 2), (4, 4, 3), (8, 2, 6)])
def test_rows_of_fewer_entries_than_generated(max_top_k, lanes, row_entries):
    """A unit generated for a larger top-k serves a model with a smaller one exactly; the other entries never move."""
    config, n_layers, n_experts = geometry(3, 10, max_top_k, lanes), 3, 10
    rng = make_rng(row_entries)
    bench = Bench(config, n_layers=n_layers, n_experts=n_experts, rng=rng, dut=StMoePredictor(config=config))
    golden = StMoe(n_layers, n_experts, row_entries)

    async def testbench(ctx):
        ctx.set(bench.dut.row_entries, row_entries)
        for event in random_events(rng, 60, n_layers, n_experts, row_entries):
            bench.candidates.clear()
            await bench.send(ctx, event)
            await bench.settle(ctx)
            members = PredictorEvent(event.event, event.layer, event.sequence_start, event.members)
            assert bench.candidates == [tuple(candidate) for candidate in golden.step(members)], event
            for layer in range(n_layers):
                rows = bench.rows(ctx, layer)
                assert [row[:row_entries] for row in rows] == golden.cct_rows(layer), (event, layer)
                behind = [(entry, 0) for entry in range(row_entries, max_top_k)]
                assert all(row[row_entries:] == behind for row in rows), (event, layer)

    bench.run(testbench)


@pytest.mark.parametrize("wrap", [True, False])
def test_lockstep_with_naive_model_and_cut_emissions(wrap):
    """Events without members, events back to back, emissions ended by the next event."""
    config, n_layers, n_experts = geometry(4, 12, 4, 2), 4, 12
    rng = make_rng(71 + wrap)
    bench = Bench(config, n_layers=n_layers, n_experts=n_experts, rng=rng, dut=StMoePredictor(config=config, wrap=wrap))
    model = naive(config, n_layers, n_experts, wrap=wrap)
    n_cut = 0

    async def testbench(ctx):
        nonlocal n_cut
        previous = []
        for event in random_events(rng, 120, n_layers, n_experts, config.max_top_k, empty=True):
            bench.ready_chance = rng.choice([1.0, 0.1])
            await bench.send(ctx, event)
            assert bench.candidates == previous[: len(bench.candidates)], event
            n_cut += len(bench.candidates) < len(previous)
            bench.candidates.clear()
            previous = expected(event, n_layers, model.step(event))
            await bench.idle_tables(ctx)
            stored = [bench.rows(ctx, layer) for layer in range(n_layers)]
            for (layer, expert), row in model.rows.items():
                assert stored[layer][expert] == [tuple(entry) for entry in row], (event, layer, expert)
            if rng.random() < 0.4:
                await bench.settle(ctx)
                assert bench.candidates == previous, event

    bench.run(testbench)
    assert n_cut > 10


def test_not_selected_it_learns_silently():
    config = geometry(3, 8, 2, 1)
    rng = make_rng(5)
    bench = Bench(config, n_layers=3, n_experts=8, rng=rng, enable=0)
    model = naive(config, 3, 8)

    async def testbench(ctx):
        events = random_events(rng, 40, 3, 8, 2)
        for event in events:
            chosen = event.event >= 30
            ctx.set(bench.dut.enable, chosen)
            await bench.send(ctx, event)
            ctx.set(bench.dut.enable, 1 - chosen)
            await bench.settle(ctx)
            beats = expected(event, 3, model.step(event))
            assert bench.candidates == (beats if chosen else [])
            bench.candidates.clear()

    bench.run(testbench)


def test_scores_saturate():
    """A hundred rows that all trust expert 5 sum to 300."""
    config = geometry(2, 100, 1, 1)
    bench = Bench(config, n_layers=2, n_experts=100)

    async def testbench(ctx):
        await load(ctx, bench, {(0, expert, 0): (5, 3) for expert in range(100)})
        await bench.send(ctx, Event(0, 0, True, tuple(range(100))))
        await bench.settle(ctx)
        assert bench.candidates == [(1, 1, 5, 255, 0, 1)]

    bench.run(testbench)


async def load(ctx, bench, entries):
    """Write entries {(layer, row, entry): (expert, confidence)} through the table port."""
    table = bench.dut.table
    ctx.set(table.write, 1)
    for (layer, row, entry), (expert, confidence) in entries.items():
        for port, value in (
            (table.layer, layer),
            (table.row, row),
            (table.entry, entry),
            (table.expert, expert),
            (table.confidence, confidence),
        ):
            ctx.set(port, value)
        _, _, ready = await ctx.tick().sample(table.ready)
        assert ready
    ctx.set(table.write, 0)


@pytest.mark.parametrize("lanes", [1, 2, 4])
@pytest.mark.parametrize("members", [1, 2, 5])
def test_first_candidate_at_its_cycle(lanes, members):
    """Two entries of one score, all ones in binary: the first leaves `prediction_latency` + 5 after the last beat."""
    config = geometry(2, 8, 4, lanes)
    bench = Bench(config, n_layers=2, n_experts=8)
    score = {1: 3, 2: 3, 5: 15}[members]
    confidence = {1: 3, 2: None, 5: 3}[members]

    async def testbench(ctx):
        entries = {}
        for row in range(members):
            for entry, expert in enumerate((4, 6)):
                gain = confidence if confidence is not None else (1, 2)[row]
                entries[0, row, entry] = (expert, gain)
        await load(ctx, bench, entries)
        last_beat = await bench.send(ctx, Event(0, 0, True, tuple(range(members))))
        await bench.settle(ctx)
        assert [candidate[2:4] for candidate in bench.candidates] == [(4, score), (6, score)]
        assert bench.offered[0][0] - last_beat == bench.dut.prediction_latency(members) + 5

    bench.run(testbench)


def test_history_alone_at_its_cycle():
    bench = Bench(geometry(1, 8, 2, 1), n_layers=1, n_experts=8)

    async def testbench(ctx):
        await bench.send(ctx, Event(0, 0, False, (3, 6)))
        await bench.settle(ctx)
        last_beat = await bench.send(ctx, Event(1, 0, False, ()))
        await bench.settle(ctx)
        assert bench.candidates == [(2, 0, 3, 2, 0, 0), (2, 0, 6, 2, 0, 1)]
        assert bench.offered[0][0] - last_beat == bench.dut.prediction_latency(0) + 5

    bench.run(testbench)


@pytest.mark.parametrize("lanes", [1, 4])
def test_next_event_waits_for_learning_and_no_longer(lanes):
    """The first row of entries at 0, all held by no member: every member of F replaces one, the longest walk."""
    config = geometry(2, 16, 4, lanes)
    bench = Bench(config, n_layers=2, n_experts=16)

    async def testbench(ctx):
        await bench.send(ctx, Event(0, 0, True, (1, 2, 3)))
        await bench.settle(ctx)
        last_beat = await bench.send(ctx, Event(1, 1, False, (8, 9, 10, 11)))
        n_waits = bench.n_waits
        accepted = await bench.send(ctx, Event(2, 0, False, (1,)))
        assert accepted - last_beat == bench.dut.event_latency(3, 4)
        assert bench.n_waits - n_waits == accepted - last_beat - 1
        await bench.settle(ctx)
        assert bench.rows(ctx, 0)[2] == [(8, 2), (9, 2), (10, 2), (11, 2)]

    bench.run(testbench)


def test_target_of_200_cycles():
    """8 of 128 experts, one lane: the most experts with the most levels, all offered 200 cycles after the last beat."""
    config = UnitConfig(max_layers=2, max_experts=128)
    bench = Bench(config, n_layers=2, n_experts=128)

    async def testbench(ctx):
        entries = {}
        for row in range(8):
            entries[0, row, 0] = (127, 3)
            for entry in range(1, 8):
                entries[0, row, entry] = (row * 7 + entry, 3)
        await load(ctx, bench, entries)
        await bench.send(ctx, Event(0, 1, True, tuple(range(119, 128))))
        await bench.settle(ctx)
        bench.candidates.clear()
        bench.offered.clear()
        last_beat = await bench.send(ctx, Event(1, 0, False, tuple(range(8))))
        await bench.settle(ctx)
        assert len(bench.candidates) == 65
        assert bench.candidates[0][2:4] == (127, 26)
        first, last = bench.offered[0][0] - last_beat, bench.offered[-1][0] - last_beat
        print(f"first candidate {first}, last {last} cycles after the last router beat")
        assert last <= 200

    bench.run(testbench)

"""Does the paper's schedule hold a prediction until its time, and never predict across steps?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.st_moe_paper import StMoePaperPredictor
from moefetch.sim.predictors.interface import PredictorEvent
from moefetch.sim.predictors.st_moe_paper import StMoePaper

from .bench import Bench, Event, make_rng, random_events

CONFIG = UNIT_PRESETS["tiny"].replace(max_experts=9)


def paper_bench(hold_cycles, rng=None):
    dut = StMoePaperPredictor(config=CONFIG)
    return Bench(CONFIG, n_layers=4, n_experts=9, rng=rng, dut=dut, hold_cycles=hold_cycles)


@pytest.mark.parametrize("hold_cycles", [0, 40])
def test_lockstep_with_golden(hold_cycles):
    """The end of an event comes before or after its prediction is made."""
    rng = make_rng(hold_cycles)
    bench = paper_bench(hold_cycles, rng)
    golden = StMoePaper(4, 9, CONFIG.max_top_k)

    async def testbench(ctx):
        for event in random_events(rng, 60, 4, 9, CONFIG.max_top_k):
            bench.candidates.clear()
            bench.offered.clear()
            await bench.send(ctx, event, gaps=True)
            await ctx.tick().repeat(rng.choice([1, 2, 60]))
            assert not bench.offered
            end = await bench.end(ctx)
            await bench.settle(ctx)
            members = PredictorEvent(event.event, event.layer, event.sequence_start, event.members)
            assert bench.candidates == [tuple(candidate) for candidate in golden.step(members)], event
            assert all(cycle > end + hold_cycles for cycle, _ in bench.offered)
            for layer in range(4):
                assert bench.rows(ctx, layer) == golden.cct_rows(layer), (event, layer)

    bench.run(testbench)


@pytest.mark.parametrize("hold_cycles", [0, 1, 25])
def test_ranking_starts_at_its_cycle(hold_cycles):
    """Two experts that history alone names, so that the first leaves 5 cycles after the ranking's start."""
    bench = paper_bench(hold_cycles)

    async def testbench(ctx):
        for number, (layer, members) in enumerate([(1, (3, 4)), (0, ())]):
            bench.offered.clear()
            last_beat = await bench.send(ctx, Event(number, layer, False, members))
            await bench.idle_tables(ctx)
            end = await bench.end(ctx)
            assert end > last_beat + bench.dut.prediction_latency(len(members))
            await bench.settle(ctx)
        assert bench.offered[0][0] == end + hold_cycles + 1 + 5

    bench.run(testbench)


def test_prediction_made_after_its_event_ended():
    """The end came first, and long ago: the ranking starts as soon as the prediction is made."""
    bench = paper_bench(0)

    async def testbench(ctx):
        await bench.send(ctx, Event(0, 1, False, (3, 4)))
        await bench.end(ctx)
        await bench.settle(ctx)
        await bench.end(ctx)
        last_beat = await bench.send(ctx, Event(1, 0, False, ()))
        await bench.settle(ctx)
        assert bench.offered[0][0] == last_beat + bench.dut.prediction_latency(0) + 5

    bench.run(testbench)


def test_new_event_drops_a_prediction_that_is_still_held():
    bench = paper_bench(10)

    async def testbench(ctx):
        await bench.send(ctx, Event(0, 1, False, (3, 4)))
        await bench.end(ctx)
        await bench.settle(ctx)
        await bench.send(ctx, Event(1, 0, False, (5,)))
        await bench.idle_tables(ctx)
        assert ctx.get(bench.dut.busy)
        await bench.send(ctx, Event(2, 3, False, (5,)))
        await bench.end(ctx)
        await bench.end(ctx)
        await bench.settle(ctx)
        assert bench.offered == []

    bench.run(testbench)

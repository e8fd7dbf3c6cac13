"""Are the DMA's latencies and its throughput what its docstring says?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.dma import DmaLatency

from .dma_bench import Bench, Link

TINY = UNIT_PRESETS["tiny"]
LATENCY = DmaLatency()


@pytest.mark.parametrize("which", ["prefetch", "demand"])
def test_request_burst_interval_sink_and_status(which):
    bench = Bench(TINY, Link(latency=6), {"burst_beats": 8, "outstanding": 2})
    accepted = []

    async def feed(ctx):
        await ctx.tick().repeat(5)
        accepted.append(await bench.send(ctx, getattr(bench.dma, which), 0, 16, 1))
        await bench.wait_statuses(ctx, 1)

    bench.run(feed)
    assert bench.dma.latency == LATENCY
    first, second = bench.bursts
    assert first.valid_cycle == accepted[0] + LATENCY.request
    assert second.valid_cycle == first.valid_cycle + LATENCY.burst_interval
    assert bench.beats[0] == first.cycle + 6
    assert bench.sink_cycles == [beat + LATENCY.sink for beat in bench.beats]
    assert bench.statuses[0].valid_cycle == bench.beats[-1] + LATENCY.status


def test_turn_around():
    bench = Bench(TINY, Link(latency=6), {"burst_beats": 8, "outstanding": 1})

    async def feed(ctx):
        await bench.send(ctx, bench.dma.demand, 0, 32, 1)
        await bench.wait_statuses(ctx, 1)

    bench.run(feed)
    assert bench.most_under_way == 1
    starts = [burst.valid_cycle for burst in bench.bursts]
    assert starts[1:] == [end + LATENCY.turn_around for end in bench.last_beats[:-1]]


def test_retry():
    seen = []

    def error(address):
        seen.append(address)
        return len(seen) == 1

    bench = Bench(TINY, Link(latency=6, error=error))

    async def feed(ctx):
        await bench.send(ctx, bench.dma.demand, 64, 8, 1)
        await bench.wait_statuses(ctx, 1)

    bench.run(feed)
    assert bench.bursts[1].valid_cycle == bench.last_beats[0] + LATENCY.retry
    assert bench.bursts[1][2:] == bench.bursts[0][2:]


@pytest.mark.parametrize("beat_cycles", [1, 3])
@pytest.mark.parametrize("latency", [1, 2, 17, 60])
@pytest.mark.parametrize(("bursts", "beats"), [(1, 4), (2, 2), (2, 16), (4, 8), (5, 16), (8, 16)])
def test_outstanding_bursts_follow_the_closed_formula(bursts, beats, latency, beat_cycles):
    config = TINY.replace(outstanding=8, slot_bytes=4096, slots=2)
    link = Link(latency=latency, beat_cycles=beat_cycles)
    bench = Bench(config, link, {"burst_beats": beats, "outstanding": bursts})

    count = 4 * bursts + 1

    async def feed(ctx):
        await bench.send(ctx, bench.dma.demand, 0, count * beats, 1)
        await bench.wait_statuses(ctx, 1)

    bench.run(feed)
    ends, c = bench.last_beats, beats * beat_cycles
    step = max(bursts * c, latency + LATENCY.turn_around - 1 + c)
    assert len(ends) == count
    assert bench.most_under_way == bursts
    assert [late - early for early, late in zip(ends, ends[bursts:], strict=False)] == [step] * (len(ends) - bursts)


@pytest.mark.parametrize(("bus_bytes", "prefetches", "demands"), [(32, 1, 1), (128, 4, 0), (128, 0, 4), (128, 2, 2)])
def test_back_to_back_transfers_of_64_kib_use_98_percent_of_the_bus(bus_bytes, prefetches, demands):
    config = UnitConfig(bus_bytes=bus_bytes, slot_bytes=65536, slots=8, outstanding=8)
    transfers, latency, burst = prefetches + demands, 100, 32
    assert 8 * burst >= latency + LATENCY.turn_around - 1 + burst, "outstanding bursts must cover the latency"
    bench = Bench(config, Link(latency=latency), {"burst_beats": burst})

    async def feed(ctx, stream, slots):
        for slot in slots:
            await bench.send(ctx, stream, slot * 65536, config.slot_beats, slot)
        await bench.wait_statuses(ctx, transfers)

    async def feed_prefetch(ctx):
        await feed(ctx, bench.dma.prefetch, range(prefetches))

    async def feed_demand(ctx):
        await feed(ctx, bench.dma.demand, range(prefetches, transfers))

    bench.run(feed_prefetch, feed_demand)
    used = len(bench.beats) / (bench.beats[-1] - bench.beats[0] + 1)
    print(f"{used:.4f} of the bus's beats")
    assert len(bench.beats) == transfers * config.slot_beats
    assert used >= 0.98

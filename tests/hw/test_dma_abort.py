"""Does an abort in any cycle of a transfer stop it at once, and end it exactly once?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.dma import DmaLatency

from .dma_bench import Bench, Link

TINY = UNIT_PRESETS["tiny"]
LATENCY = DmaLatency()


async def abort_after(ctx, bench, wait, beats=40):
    """Abort a prefetch `wait` cycles after its descriptor; return the abort's cycle."""
    dma = bench.dma
    bench.forget()
    await bench.send(ctx, dma.prefetch, 0, beats, 3)
    if wait:
        await ctx.tick().repeat(wait)
    cycle = bench.cycle
    await bench.pulse(ctx, dma.abort, 3)
    assert not ctx.get(dma.prefetch_request.valid), "the engine is not free"
    assert ctx.get(dma.prefetch_request.beats_left) == 0
    await bench.send(ctx, dma.prefetch, 8192, 16, 5)
    await bench.wait_statuses(ctx, 2)
    await bench.quiet(ctx)
    return cycle


def own_beats(bench):
    """Return the beats requested for the aborted transfer."""
    return sum(burst.beats for burst in bench.bursts if burst.address < 4096)


def check_abort(bench, cycle):
    """Check the aborted transfer and its successor; return whether it ended drained."""
    assert sorted(status.slot for status in bench.statuses) == [3, 5]
    statuses = {status.slot: status for status in bench.statuses}
    assert statuses[3].drained == (statuses[3].cycle > cycle)
    # What was chosen in the cycle of the abort is on AR in the next.
    late = [burst for burst in bench.bursts if burst.valid_cycle > cycle + 1 and burst.address < 4096]
    assert not late, f"bursts requested after the abort: {late}"
    assert statuses[5][3:] == (0, 0)
    bench.check_slot(5, 8192, 16)
    return statuses[3].drained


@pytest.mark.parametrize("erring", [False, True])
def test_abort_in_every_phase(erring):
    seen = []

    def error(address):
        seen.append(address)
        return erring and address == 32 and seen.count(32) <= 2

    bench = Bench(TINY, Link(latency=9, error=error), {"burst_beats": 8, "outstanding": 2})
    drained = []

    async def feed(ctx):
        for wait in range(150):
            seen.clear()
            cycle = await abort_after(ctx, bench, wait)
            drained.append(check_abort(bench, cycle))
            written = sum(1 for slot, _ in bench.slots if slot == 3)
            if drained[-1] and not erring:
                before = min(sum(1 for beat in bench.beats if beat <= cycle), own_beats(bench))
                assert written == before
                assert bench.pulses["beat_discarded"] == own_beats(bench) - before

    bench.run(feed)
    assert drained == sorted(drained, reverse=True)
    assert 5 < sum(drained) < 145, "the loop must reach transfers that are over"


def test_arvalid_stays_through_an_abort():
    bench = Bench(TINY, Link(seed=5))  # ARREADY is random; the bench requires a stable AR

    async def feed(ctx):
        for number in range(60):
            await bench.send(ctx, bench.dma.prefetch, 4096 * number, 64, number % 8)
            await ctx.tick().repeat(1 + number % 9)
            await bench.pulse(ctx, bench.dma.abort, number % 8)
            await bench.wait_statuses(ctx, number + 1)
        await bench.quiet(ctx)

    bench.run(feed)
    assert all(status.drained for status in bench.statuses)
    assert bench.bursts


def test_abort_of_nothing_under_way():
    bench = Bench(TINY)
    cycles = []

    async def feed(ctx):
        cycles.append(await abort_after(ctx, bench, 0))

    bench.run(feed)
    first = next(status for status in bench.statuses if status.slot == 3)
    assert first.valid_cycle == cycles[0] + LATENCY.abort
    assert own_beats(bench) == 0


def test_an_abort_counts_until_its_status_is_taken():
    bench = Bench(TINY, Link(status_ready=lambda cycle: cycle > 60))

    async def feed(ctx):
        dma = bench.dma
        await bench.send(ctx, dma.prefetch, 0, 4, 3)
        await ctx.tick().until(dma.status.valid)
        assert not ctx.get(dma.status.payload.drained)
        await bench.pulse(ctx, dma.abort, 3)
        assert ctx.get(dma.status.valid)
        assert ctx.get(dma.status.payload.drained)
        await bench.wait_statuses(ctx, 1)
        await bench.pulse(ctx, dma.abort, 3)
        await bench.pulse(ctx, dma.promote, 3)
        await bench.quiet(ctx)

    bench.run(feed)
    assert len(bench.statuses) == 1


def test_promoted_transfers_are_demanded_until_their_end():
    bench = Bench(TINY, Link(latency=20), {"burst_beats": 8, "outstanding": 2})
    busy = []

    async def feed(ctx):
        dma = bench.dma
        await bench.send(ctx, dma.prefetch, 0, 8, 3)
        await ctx.tick().repeat(10)
        assert not ctx.get(dma.demand_busy)
        await bench.pulse(ctx, dma.promote, 3)
        while not bench.statuses:
            busy.append(ctx.get(dma.demand_busy))
            await ctx.tick()
        await bench.quiet(ctx)

    bench.run(feed)
    assert len(busy) > 10
    assert all(busy)

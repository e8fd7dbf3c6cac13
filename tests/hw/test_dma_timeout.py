"""Does the DMA give up transfers that memory does not serve, and swallow what memory sends for them later?"""

import random

import pytest
from moefetch.hw.config import UNIT_PRESETS

from .dma_bench import Bench, Link

TINY = UNIT_PRESETS["tiny"]
TIMEOUT = 40
SETTINGS = {"burst_beats": 8, "outstanding": 2, "timeout": TIMEOUT}


@pytest.mark.parametrize("takes", [False, True])
def test_a_transfer_fails_in_the_cycle_that_the_timeout_says(takes):
    """Memory that takes an address, or does not, and then is silent."""
    bench = Bench(TINY, Link(silent=lambda cycle: True, takes=lambda cycle: takes), SETTINGS)

    async def feed(ctx):
        accepted = await bench.send(ctx, bench.dma.demand, 0, 4, 3)
        since = accepted + 4 if takes else accepted + 1  # the cycle after the address, or after the descriptor
        await ctx.tick().repeat(since + TIMEOUT - bench.cycle)
        assert bench.pulses["timed_out"] == 0 and bench.cycle == since + TIMEOUT
        assert ctx.get(bench.dma.timed_out)
        await bench.wait_statuses(ctx, 1)
        await ctx.tick().repeat(3 * TIMEOUT)
        assert ctx.get(bench.dma.overdue) and not ctx.get(bench.dma.idle)
        assert ctx.get(bench.dma.axi.arvalid) != takes, "an offered address was withdrawn"

    bench.run(feed)
    assert [status[2:] for status in bench.statuses] == [(3, 1, 0)]
    assert bench.pulses["timed_out"] == 1, "it is counted again while nothing waits"


def test_without_a_timeout_memory_is_waited_for():
    bench = Bench(TINY, Link(silent=lambda cycle: cycle < 900), SETTINGS | {"timeout": 0})

    async def feed(ctx):
        await bench.send(ctx, bench.dma.demand, 0, 4, 3)
        await bench.wait_statuses(ctx, 1)

    bench.run(feed)
    bench.check_slot(3, 0, 4)


@pytest.mark.parametrize("wake", range(60, 76))
def test_late_beats_are_thrown_away_and_the_slot_holds_what_was_asked_for_last(wake):
    """Memory falls silent in mid-burst; the slot is given to another expert before it wakes, or while it sends."""
    bench = Bench(TINY, Link(latency=3, silent=lambda cycle: 14 <= cycle < wake), SETTINGS)

    async def feed(ctx):
        await bench.send(ctx, bench.dma.prefetch, 0, 40, 5)
        await bench.wait_statuses(ctx, 1)
        assert not ctx.get(bench.dma.prefetch_request.valid)
        bench.slots.clear()
        await bench.send(ctx, bench.dma.demand, 8192, 20, 5)
        await bench.wait_statuses(ctx, 2)
        await bench.quiet(ctx)
        assert not ctx.get(bench.dma.overdue)

    bench.run(feed)
    assert [status[2:] for status in bench.statuses] == [(5, 1, 0), (5, 0, 0)]
    bench.check_slot(5, 8192, 20)
    assert bench.pulses["timed_out"] == 1
    assert bench.pulses["protocol_error"] == 0
    counted = sum(bench.pulses[f"beat_{kind}"] for kind in ("demand", "prefetch", "discarded"))
    assert counted == len(bench.beats)
    assert bench.most_under_way <= 2


def test_an_aborted_transfer_drains_at_the_timeout():
    bench = Bench(TINY, Link(silent=lambda cycle: 14 <= cycle < 400), SETTINGS)

    async def feed(ctx):
        await bench.send(ctx, bench.dma.prefetch, 0, 40, 5)
        await ctx.tick().repeat(20)
        await bench.pulse(ctx, bench.dma.abort, 5)
        await bench.wait_statuses(ctx, 1)
        assert bench.cycle < 100

    bench.run(feed)
    assert [status[4] for status in bench.statuses] == [1]


def test_a_burst_that_waits_to_be_fetched_again_is_forgotten():
    """It waits behind an address that memory does not take, and belongs to a transfer that is over."""
    link = Link(error=lambda address: address == 0, takes=lambda cycle: not bench.bursts or cycle > 80)
    bench = Bench(TINY, link, SETTINGS)

    async def feed(ctx):
        await bench.send(ctx, bench.dma.demand, 0, 16, 1)
        await bench.wait_statuses(ctx, 1)
        await bench.send(ctx, bench.dma.demand, 4096, 8, 1)
        await bench.wait_statuses(ctx, 2, limit=400)
        await bench.quiet(ctx)

    bench.run(feed)
    assert [status[2:] for status in bench.statuses] == [(1, 1, 0), (1, 0, 0)]
    assert [burst.address for burst in bench.bursts] == [0, 32, 4096]
    assert bench.pulses["error_response"] == 1 and bench.pulses["retry"] == 0
    bench.check_slot(1, 4096, 8)


@pytest.mark.parametrize("early", range(-2, 5))
def test_an_abort_about_the_timeout_leaves_nothing_to_the_next_transfer(early):
    """The aborted transfer's burst, which waits to be fetched again, is dropped about then."""
    link = Link(error=lambda address: address == 0, takes=lambda cycle: not bench.bursts or cycle > 120)
    bench, timeouts = Bench(TINY, link, SETTINGS), []

    async def timeout(ctx):
        await bench.send(ctx, bench.dma.prefetch, 0, 16, 1)
        await ctx.tick().until(bench.dma.timed_out)
        timeouts.append(bench.cycle - 1)

    async def feed(ctx):
        await bench.send(ctx, bench.dma.prefetch, 0, 16, 1)
        await ctx.tick().repeat(timeouts[0] - early - bench.cycle)
        await bench.pulse(ctx, bench.dma.abort, 1)
        await bench.wait_statuses(ctx, 1)
        await ctx.tick().repeat(150 - bench.cycle)
        ctx.set(bench.dma.timeout, 0)
        await bench.send(ctx, bench.dma.prefetch, 8192, 40, 2)
        await bench.wait_statuses(ctx, 2, limit=400)
        assert sum(slot == 2 for slot, _ in bench.slots) == 40, "a status before the last word"

    bench.run(timeout)
    bench = Bench(TINY, link, SETTINGS)
    bench.run(feed)
    bench.check_slot(2, 8192, 40)


@pytest.mark.parametrize("seed", range(6))
def test_random_silences(seed):
    """Every transfer ends once; a word only ever lands in a slot whose transfer asked for it."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    silences, cycle = [], 60
    while cycle < 6000:
        length = rng.choice((10, TIMEOUT - 2, TIMEOUT, TIMEOUT + 3, 3 * TIMEOUT, 200))
        silences.append(range(cycle, cycle + length))
        cycle += length + rng.randrange(20, 200)
    quiet = frozenset(cycle for silence in silences for cycle in silence)
    taking = rng.random() < 0.5
    link = Link(
        latency=rng.randrange(1, 20), silent=quiet.__contains__, takes=lambda cycle: taking or cycle not in quiet,
        error=lambda address: address % 3 == 0 and random.Random(address).random() < 0.1,
    )  # fmt: skip
    bench = Bench(TINY, link, SETTINGS | {"outstanding": rng.choice((1, 2)), "retries": 1})
    plan, ended = {}, []

    def reap():
        for status in bench.statuses[len(ended) :]:
            address, beats = plan.pop(status.slot)
            if not status.fill:
                bench.check_slot(status.slot, address, beats)
            for key in [key for key in bench.slots if key[0] == status.slot]:
                del bench.slots[key]
            ended.append(status)

    async def feed(ctx):
        for number in range(60):
            stream = rng.choice((bench.dma.demand, bench.dma.prefetch))
            reap()
            while not (free := [slot for slot in range(8) if slot not in plan]):
                await ctx.tick()
                reap()
            slot = rng.choice(free)
            plan[slot] = (4096 * number, rng.randrange(1, 40))
            await bench.send(ctx, stream, *plan[slot], slot)
            assert all((slot in plan) for slot, _ in bench.slots), "a word for a slot without a transfer"
        await bench.wait_statuses(ctx, 60)
        reap()
        await ctx.tick().repeat(600)
        assert ctx.get(bench.dma.idle)

    bench.run(feed)
    assert len(ended) == 60 and not plan
    assert any(status.fill for status in ended) and not all(status.fill for status in ended)
    assert bench.pulses["timed_out"] > 2 and bench.pulses["protocol_error"] == 0
    assert sum(bench.pulses[f"beat_{kind}"] for kind in ("demand", "prefetch", "discarded")) == len(bench.beats)

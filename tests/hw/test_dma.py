"""Does the DMA fetch every word, in the stated order, and end every transfer exactly once?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS

from .dma_bench import Bench, Link, word_at

TINY = UNIT_PRESETS["tiny"]


def legal_bursts(config, address, beats, most):
    """Cut word by word: the naive rule that the legalizer must agree with."""
    bursts = []
    for beat in range(beats):
        where = address + beat * config.bus_bytes
        if not bursts or bursts[-1][1] == most or where % 4096 == 0:
            bursts.append([where, 0])
        bursts[-1][1] += 1
    return [tuple(burst) for burst in bursts]


@pytest.mark.parametrize("most", [1, 2, 3, 8, 256])
def test_lengths_and_addresses_around_a_line(most):
    bench = Bench(TINY, settings={"burst_beats": most})
    cases = [
        ((5 << 32) + 4096 * 3 + offset * TINY.bus_bytes, beats)
        for offset in range(-4, 4)
        for beats in (1, 2, 3, 4, 5, 7, 8, 9, 127, 128)
    ]

    async def feed(ctx):
        for number, (address, beats) in enumerate(cases):
            bench.slots.clear()
            bench.bursts.clear()
            slot = number % TINY.slots
            await bench.send(ctx, (bench.dma.demand, bench.dma.prefetch)[number % 2], address, beats, slot)
            await bench.wait_statuses(ctx, number + 1)
            bench.check_slot(slot, address, beats)
            assert {where for where, _ in bench.slots} == {slot}
            assert [(burst.address, burst.beats) for burst in bench.bursts] == legal_bursts(TINY, address, beats, most)
        await bench.quiet(ctx)

    bench.run(feed)
    assert all(status[2:] == (number % TINY.slots, 0, 0) for number, status in enumerate(bench.statuses))


def test_a_burst_has_at_most_256_beats_and_a_64_bit_address():
    config = TINY.replace(slot_bytes=4096, bus_bytes=4, slots=2, banks=1)
    bench = Bench(config, settings={"burst_beats": 511})
    top = (1 << 64) - 8192

    async def feed(ctx):
        await bench.send(ctx, bench.dma.demand, top, 1024, 1)
        await bench.wait_statuses(ctx, 1)
        bench.check_slot(1, top, 1024)

    bench.run(feed)
    assert [(burst.address, burst.beats) for burst in bench.bursts] == [(top + 1024 * i, 256) for i in range(4)]


def test_settings_of_zero_count_as_one():
    bench = Bench(TINY, settings={"burst_beats": 0, "outstanding": 0})

    async def feed(ctx):
        await bench.send(ctx, bench.dma.demand, 0, 3, 1)
        await bench.wait_statuses(ctx, 1)

    bench.run(feed)
    assert [burst.beats for burst in bench.bursts] == [1, 1, 1]
    assert bench.most_under_way == 1


def test_a_descriptor_without_beats_is_done_at_once():
    bench = Bench(TINY)

    async def feed(ctx):
        await bench.send(ctx, bench.dma.prefetch, 0, 0, 3)
        await bench.wait_statuses(ctx, 1)
        await bench.quiet(ctx)

    bench.run(feed)
    assert bench.statuses[0][2:] == (3, 0, 0)
    assert not bench.bursts


def test_demand_goes_first_at_the_next_burst():
    bench = Bench(TINY, Link(latency=5), {"burst_beats": 8, "outstanding": 1})

    async def feed(ctx):
        await bench.send(ctx, bench.dma.prefetch, 0, 64, 0)
        await ctx.tick().repeat(40)
        await bench.send(ctx, bench.dma.demand, 4096, 16, 1)
        await bench.wait_statuses(ctx, 2)

    bench.run(feed)
    ids = [burst.id for burst in bench.bursts]
    first = ids.index(1)
    assert 0 < first < 6
    assert ids == [0] * first + [1, 1] + [0] * (8 - first)
    assert [status.slot for status in bench.statuses] == [1, 0]
    assert bench.pulses["beat_demand"] == 16
    assert bench.pulses["beat_prefetch"] == 64
    assert bench.pulses["burst"] == 10


def test_promoted_prefetch_goes_before_the_demand_request_in_any_cycle():
    bench = Bench(TINY, Link(latency=5), {"burst_beats": 8, "outstanding": 2})

    async def promote_after(ctx, wait):
        dma = bench.dma
        bench.forget()
        await bench.send(ctx, dma.prefetch, 0, 64, 0)
        await bench.send(ctx, dma.demand, 4096, 64, 1)
        await ctx.tick().repeat(wait)
        assert not ctx.get(dma.prefetch_request.promoted)
        promoted_in = bench.cycle
        await bench.pulse(ctx, dma.promote, 0)
        left = ctx.get(dma.prefetch_request.beats_left)
        assert ctx.get(dma.prefetch_request.valid) == (left > 0)
        assert ctx.get(dma.prefetch_request.promoted) == 1
        await bench.wait_statuses(ctx, 2)
        await bench.quiet(ctx)
        # What was chosen in the cycle of the pulse is on AR in the next.
        after = [burst for burst in bench.bursts if burst.valid_cycle > promoted_in + 1]
        assert {burst.id for burst in after} == {1}
        owners = [burst.address // 4096 for burst in after]
        assert owners == sorted(owners), "the promoted request did not go first"
        assert len(bench.bursts) == 16
        bench.check_slot(0, 0, 64)
        bench.check_slot(1, 4096, 64)

    async def feed(ctx):
        for wait in range(1, 60):
            await promote_after(ctx, wait)

    bench.run(feed)


def test_demand_is_not_interleaved_with_prefetch():
    bench = Bench(TINY.replace(outstanding=8), Link(latency=50), {"burst_beats": 8})

    async def feed(ctx):
        await bench.send(ctx, bench.dma.demand, 4096, 48, 1)
        await bench.send(ctx, bench.dma.prefetch, 0, 48, 0)
        await bench.wait_statuses(ctx, 2)

    bench.run(feed)
    assert [burst.id for burst in bench.bursts] == [1] * 6 + [0] * 6


def test_prefetch_request_counts_down():
    bench = Bench(TINY, Link(latency=20), {"burst_beats": 8, "outstanding": 1})
    seen = []

    async def feed(ctx):
        request = bench.dma.prefetch_request
        await bench.send(ctx, bench.dma.prefetch, 0, 20, 5)
        while ctx.get(request.valid):
            seen.append(tuple(ctx.get(getattr(request, name)) for name in ("slot", "beats_left", "most_left")))
            await ctx.tick()
        assert ctx.get(request.beats_left) == 0
        await bench.wait_statuses(ctx, 1)

    bench.run(feed)
    assert list(dict.fromkeys(seen)) == [(5, 20, 1), (5, 12, 1), (5, 4, 0)]


@pytest.mark.parametrize("retries", [0, 1, 3])
@pytest.mark.parametrize("errors", [0, 1, 2, 3, 4, 5])
def test_errors_are_retried_as_often_as_allowed(retries, errors):
    seen = []

    def error(address):
        hit = address == 4096 + 64 and seen.count(address) < errors
        seen.append(address)
        return hit

    bench = Bench(TINY, Link(latency=7, error=error), {"burst_beats": 8, "outstanding": 2, "retries": retries})

    async def feed(ctx):
        await bench.send(ctx, bench.dma.demand, 4096, 64, 2)
        await bench.wait_statuses(ctx, 1)
        await bench.quiet(ctx)

    bench.run(feed)
    fails = errors > retries
    assert bench.statuses[0][2:] == (2, int(fails), 0)
    assert seen.count(4096 + 64) == min(errors, retries) + 1
    assert bench.pulses["retry"] == min(errors, retries)
    assert bench.pulses["error_response"] == min(errors, retries + 1)
    assert bench.pulses["beat_discarded"] + bench.pulses["beat_demand"] == len(bench.beats)
    if not fails:
        bench.check_slot(2, 4096, 64)
    else:
        assert len(bench.bursts) < 8 + retries, "a failed transfer went on requesting"


def test_beats_are_counted_where_rlast_is_wrong():
    """It is missing on one burst and comes early on another."""
    bench = Bench(TINY, Link(latency=3, wrong_last=lambda address: address in (28, 44)), {"burst_beats": 8})

    async def feed(ctx):
        await bench.send(ctx, bench.dma.demand, 0, 32, 2)
        await bench.wait_statuses(ctx, 1)
        await bench.quiet(ctx)

    bench.run(feed)
    bench.check_slot(2, 0, 32)
    assert [status[2:] for status in bench.statuses] == [(2, 0, 0)]
    assert bench.pulses["protocol_error"] == 2 and len(bench.bursts) == 4


def test_an_erring_burst_is_fetched_again_ahead_of_others():
    seen = []

    def error(address):
        seen.append(address)
        return address == 32 and seen.count(32) == 1

    bench = Bench(TINY, Link(latency=3, error=error), {"burst_beats": 8, "outstanding": 2})

    async def feed(ctx):
        await bench.send(ctx, bench.dma.prefetch, 0, 128, 2)
        await bench.send(ctx, bench.dma.demand, 4096, 128, 3)
        await bench.wait_statuses(ctx, 2)

    bench.run(feed)
    failed, again = (index for index, burst in enumerate(bench.bursts) if burst.address == 32)
    end = bench.last_beats[failed]
    assert [burst for burst in bench.bursts if end < burst.valid_cycle <= bench.bursts[again].valid_cycle] == [
        bench.bursts[again]
    ]


def test_statuses_wait_without_loss_while_data_flows():
    bench = Bench(TINY.replace(outstanding=4), Link(status_ready=lambda cycle: cycle % 97 == 96))
    count = 24

    async def feed(ctx):
        for number in range(count):
            stream = (bench.dma.demand, bench.dma.prefetch)[number % 2]
            await bench.send(ctx, stream, 4096 * number, 1 + number % 5, number % 8)
            if number >= 7:
                await bench.wait_statuses(ctx, number - 6)  # a slot is used again only after its status
        await bench.wait_statuses(ctx, count)
        await bench.quiet(ctx)

    bench.run(feed)
    assert len(bench.statuses) == count
    assert [status.slot for status in bench.statuses].count(3) == 3


def test_the_last_entry_of_the_table_goes_to_demand():
    ready_from = 200
    bench = Bench(TINY.replace(outstanding=1), Link(status_ready=lambda cycle: cycle >= ready_from))
    accepted = {}

    async def offer(ctx, name, slot):
        accepted[name] = await bench.send(ctx, getattr(bench.dma, name), 4096 * slot, 4, slot)

    async def feed_demand(ctx):
        for slot in (0, 1):  # both end, and hold two of the three entries until their status is taken
            await bench.send(ctx, bench.dma.demand, 4096 * slot, 4, slot)
        await ctx.tick().repeat(50)
        await offer(ctx, "demand", 2)

    async def feed_prefetch(ctx):
        await ctx.tick().repeat(50)
        await offer(ctx, "prefetch", 3)
        await bench.wait_statuses(ctx, 4)
        await bench.quiet(ctx)

    bench.run(feed_demand, feed_prefetch)
    assert accepted["demand"] < ready_from <= accepted["prefetch"]
    assert sorted(status.slot for status in bench.statuses) == [0, 1, 2, 3]


def test_room_for_a_prefetch_stays_until_it_is_taken():
    bench = Bench(TINY.replace(outstanding=1), Link(latency=20, status_ready=lambda cycle: cycle >= 120))
    ready = []

    async def feed(ctx):
        dma = bench.dma
        for slot in (0, 1):  # of three entries, the first holds its status back while the second is requested
            await bench.send(ctx, dma.demand, 4096 * slot, 4, slot)
        for _ in range(150):
            ready.append((await ctx.tick().sample(dma.prefetch.ready))[-1])

    bench.run(feed)
    assert ready == sorted(ready), "ready must not fall while nothing is taken"
    assert set(ready) == {0, 1}


def test_beats_nobody_asked_for_are_ignored_and_reported():
    bench = Bench(TINY)

    async def feed(ctx):
        dma, queue = bench.dma, bench._queues[0]
        queue.append((0, 1, 64, 0, True))
        queue.append((0, 0, 64, 2, False))
        await ctx.tick().repeat(5)
        assert bench.pulses["protocol_error"] == 2
        await bench.send(ctx, dma.demand, 0, 8, 1)
        await ctx.tick().repeat(2)
        queue.append((0, 0, 64, 0, True))
        await bench.wait_statuses(ctx, 1)
        await bench.quiet(ctx)

    bench.run(feed)
    assert bench.pulses["protocol_error"] == 3
    assert bench.pulses["error_response"] == 0
    bench.check_slot(1, 0, 8)


def test_a_wrong_last_is_reported_and_beats_are_counted():
    bench = Bench(TINY, Link(latency=4))

    async def feed(ctx):
        queue = bench._queues[0]
        await bench.send(ctx, bench.dma.demand, 0, 8, 1)
        while not queue:
            await ctx.tick()
        queue[3] = (*queue[3][:4], True)
        queue[7] = (*queue[7][:4], False)
        await bench.wait_statuses(ctx, 1)
        await bench.quiet(ctx)

    bench.run(feed)
    assert bench.pulses["protocol_error"] == 2
    bench.check_slot(1, 0, 8)


def test_word_at_tells_addresses_apart():
    assert len({word_at(TINY, address) for address in range(0, 4096, 4)}) == 1024

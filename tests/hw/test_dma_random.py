"""Does everything hold at once, for random traffic, links, errors, promotes and aborts?"""

import random

import pytest
from moefetch.hw.config import UNIT_PRESETS

from .dma_bench import Bench, Link

TINY = UNIT_PRESETS["tiny"]
TRANSFERS = 60


def random_pieces(rng, config, beats):
    """Return (address, beats) of up to `segments` pieces, anywhere, some of them at a 4 KiB line."""
    cuts = sorted(rng.sample(range(1, beats), min(beats - 1, rng.randrange(config.segments))))
    pieces = []
    for start, end in zip([0, *cuts], [*cuts, beats], strict=True):
        word = rng.randrange(1 << 50) * 4096 + rng.choice([0, 0, rng.randrange(1024)]) * config.bus_bytes
        pieces.append((word % (1 << 64), end - start))
    return pieces


@pytest.mark.parametrize(("seed", "segments"), [*((seed, 1) for seed in range(12)), (12, 2), (13, 3), (14, 4), (15, 4)])
def test_random_traffic(seed, segments):
    print(f"seed {seed}")
    rng = random.Random(seed)
    config = TINY.replace(outstanding=rng.choice([1, 2, 3, 5]), bus_bytes=rng.choice([4, 16]), segments=segments)
    errors = random.Random(seed + 1000)
    rate = rng.choice([0.0, 0.05, 0.3])
    link = Link(latency=rng.randrange(1, 30), seed=seed, error=lambda address: errors.random() < rate)
    settings = {
        "outstanding": rng.randrange(1, config.outstanding + 1),
        "burst_beats": rng.choice([1, 2, 7, 8, 16]),
        "retries": rng.randrange(4),
    }
    bench = Bench(config, link, settings)
    free = list(range(config.slots))
    plan = {}
    aborted = {}
    pulses = random.Random(seed + 2000)

    def reap(first):
        """Check the statuses from `first` on and free their slots; return how many there are."""
        for status in bench.statuses[first:]:
            pieces = plan.pop(status.slot)
            was_aborted = aborted.pop(status.slot, bench.cycle) < status.cycle
            assert status.drained == was_aborted
            if not status.drained and not status.fill:
                bench.check_pieces(status.slot, pieces)
            for key in [key for key in bench.slots if key[0] == status.slot]:
                del bench.slots[key]
            free.append(status.slot)
        return len(bench.statuses)

    def make_feed(stream, count):
        async def feed(ctx):
            for _ in range(count):
                await ctx.tick().repeat(rng.randrange(1, 40))
                while not free:
                    await ctx.tick()
                slot = free.pop(rng.randrange(len(free)))
                plan[slot] = pieces = random_pieces(rng, config, rng.randrange(1, config.slot_beats + 1))
                if segments > 1:
                    await bench.send_pieces(ctx, stream, pieces, slot)
                else:
                    await bench.send(ctx, stream, *pieces[0], slot)

        return feed

    async def disturb(ctx):
        done = 0
        while done < TRANSFERS:
            await ctx.tick()
            done = reap(done)
            if plan and pulses.random() < 0.03:
                slot = pulses.choice(sorted(plan))
                kind = pulses.choice(["promote", "abort"])
                engaged = [s for s in (bench.dma.demand, bench.dma.prefetch) if ctx.get(s.valid)]
                if slot in [ctx.get(s.payload.slot) for s in engaged]:
                    continue  # not accepted yet: the pulse is defined for earlier cycles only
                if kind == "abort":
                    aborted.setdefault(slot, bench.cycle)
                await bench.pulse(ctx, getattr(bench.dma, kind), slot)
                done = reap(done)
        assert not plan
        await bench.quiet(ctx)

    bench.run(make_feed(bench.dma.demand, TRANSFERS // 2), make_feed(bench.dma.prefetch, TRANSFERS // 2), disturb)
    assert len(bench.statuses) == TRANSFERS
    assert not any(word for word, _ in bench.slots.items()), "a write to a slot without a transfer"
    assert bench.most_under_way <= settings["outstanding"]
    counted = sum(bench.pulses[name] for name in ("beat_demand", "beat_prefetch", "beat_discarded"))
    assert counted == len(bench.beats) == sum(burst.beats for burst in bench.bursts)
    assert bench.pulses["burst"] == len(bench.bursts)
    assert bench.pulses["protocol_error"] == 0

"""Is a transfer of several pieces cut where the rules say, and does a refused one fail without a burst?"""

import random
from itertools import pairwise

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.records import Fill

from .dma_bench import Bench

CONFIG = UNIT_PRESETS["tiny"].replace(segments=4, outstanding=4, bus_bytes=16, slot_bytes=2048)
LINE_WORDS = 4096 // 16


def cut(pieces, limit):
    """Return (address, beats) of the bursts that a naive cutter makes, word by word."""
    bursts = []
    for address, beats in pieces:
        first = True
        for beat in range(beats):
            word = address + 16 * beat
            if first or bursts[-1][1] == limit or word % 4096 == 0:
                bursts.append((word, 0))
            bursts[-1] = (bursts[-1][0], bursts[-1][1] + 1)
            first = False
    return bursts


def pieces_at_lines(rng):
    """Return pieces that begin and end one word before, at or after a 4 KiB line, or anywhere."""
    left, pieces = CONFIG.slot_beats, []
    for number in range(rng.randint(1, 4)):
        beats = rng.choice([1, 2, rng.randint(1, left)])
        start = rng.choice([-2, -1, 0, 1, rng.randrange(LINE_WORDS), -beats, 1 - beats])
        pieces.append(((1 << 40) * (number + 1) + 16 * start, min(beats, left)))
        left -= pieces[-1][1]
        if not left:
            break
    return pieces


@pytest.mark.parametrize("limit", [1, 7, 256])
def test_bursts_of_pieces(limit):
    print(f"seed {limit}")
    rng = random.Random(limit)
    bench = Bench(CONFIG, settings={"burst_beats": limit})

    async def main(ctx):
        for stream in (bench.dma.demand, bench.dma.prefetch) * 12:
            pieces = pieces_at_lines(rng)
            bench.forget()
            await bench.send_pieces(ctx, stream, pieces, 3)
            await bench.wait_statuses(ctx, 1)
            assert [(burst.address, burst.beats) for burst in bench.bursts] == cut(pieces, limit)
            bench.check_pieces(3, pieces)

    bench.run(main)


def test_the_next_piece_costs_no_cycle():
    """ARVALID comes every two cycles, be the burst before the last one of its piece or not."""
    bench = Bench(CONFIG, settings={"burst_beats": 8})

    async def main(ctx):
        await bench.send_pieces(ctx, bench.dma.demand, [(0, 8), (4096, 16), (1 << 20, 4)], 0)
        await bench.wait_statuses(ctx, 1)

    bench.run(main)
    times = [burst.valid_cycle for burst in bench.bursts]
    assert [after - before for before, after in pairwise(times)] == [2, 2, 2]


def test_beats_left_are_those_of_all_pieces():
    bench = Bench(CONFIG, settings={"burst_beats": 8})

    async def main(ctx):
        request = bench.dma.prefetch_request
        await bench.send_pieces(ctx, bench.dma.prefetch, [(0, 8), (4096, 16), (1 << 20, 4)], 0)
        found = []
        while ctx.get(request.valid):
            left = ctx.get(request.beats_left), ctx.get(request.most_left)
            if not found or found[-1] != left:
                found.append(left)
            await ctx.tick()
        assert found == [(28, 1), (20, 1), (12, 0), (4, 0)]
        await bench.wait_statuses(ctx, 1)

    bench.run(main)


def test_a_refused_transfer_fails_without_a_burst():
    bench = Bench(CONFIG)

    async def main(ctx):
        for stream in (bench.dma.demand, bench.dma.prefetch):
            bench.forget()
            await bench.send_pieces(ctx, stream, [(0, 8), (4096, 16)], 5, refused=True)
            await bench.wait_statuses(ctx, 1)
            assert [(s.slot, s.fill, s.drained) for s in bench.statuses] == [(5, Fill.FAILED, 0)]
            await bench.quiet(ctx)
            assert not bench.bursts
            bench.forget()
            await bench.send_pieces(ctx, stream, [(0, 8), (4096, 16)], 5)
            await bench.wait_statuses(ctx, 1)
            assert [s.fill for s in bench.statuses] == [Fill.DONE]

    bench.run(main)

"""Does the walk give an expert's pieces, at the cycle that is promised, up to the sizes of the largest checkpoints?"""

import random

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.segment_layout import Segment, expert_pieces, segment_words
from moefetch.hw.segment_walk import SegmentWalk

TINY = UNIT_PRESETS["tiny"]
DEEPSEEK_V3 = UnitConfig(
    max_layers=61, max_experts=256, slots=2, scan_lanes=2, banks=2, bus_bytes=128, slot_bytes=44_040_192, segments=3,
)  # fmt: skip
"""61 layers of 256 experts; gate, up and down projection have 7168 x 2048 weights of a byte: 44 MB an expert."""


def simulate(config, bench):
    """Run `bench(ctx, dut)`."""
    dut = SegmentWalk(config=config)
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)

    async def main(ctx):
        await bench(ctx, dut)

    simulator.add_testbench(main)
    simulator.run()


async def store(ctx, dut, layer, index, segment):
    """Write a segment."""
    for word, value in enumerate(segment_words(dut._config, segment)):
        ctx.set(dut.port.layer, layer)
        ctx.set(dut.port.segment, index)
        ctx.set(dut.port.word, word)
        ctx.set(dut.port.data, value)
        ctx.set(dut.port.write, 1)
        await ctx.tick()
    ctx.set(dut.port.write, 0)


async def walk(ctx, dut, layer, expert, settings):
    """Return the pieces, whether the transfer is refused, and the cycles from `start` to `done`."""
    ctx.set(dut.walk.key, {"layer": layer, "expert": expert})
    ctx.set(dut.walk.settings, settings)
    ctx.set(dut.walk.start, 1)
    await ctx.tick()
    ctx.set(dut.walk.start, 0)
    cycles = 1
    while not ctx.get(dut.walk.done):
        await ctx.tick()
        cycles += 1
        assert cycles < 20
    pieces = [
        (ctx.get(piece.address), ctx.get(piece.beats))
        for piece in (dut.walk.pieces[i] for i in range(len(dut.walk.pieces)))
    ]
    return pieces, ctx.get(dut.walk.refused), cycles


def in_beats(config, pieces):
    """Return pieces in beats, with the empty ones that fill the unit's room."""
    found = [(address % (1 << 64), length // config.bus_bytes) for address, length in pieces]
    return found, [beats for _, beats in found] + [0] * (config.segments - len(found))


@pytest.mark.parametrize("segments", [2, 3, 4])
def test_random_segments(segments):
    print(f"seed {segments}")
    rng = random.Random(segments)
    config = TINY.replace(segments=segments, bus_bytes=rng.choice([4, 16]), max_layers=3)

    def random_segment():
        length = rng.choice([0, rng.randrange(1, 9) * config.bus_bytes])
        base = rng.randrange(1 << 60) * config.bus_bytes % (1 << 64)
        return Segment(base, rng.randrange((1 << 32) // config.bus_bytes) * config.bus_bytes, length)

    async def bench(ctx, dut):
        table = [[random_segment() for _ in range(segments)] for _ in range(config.max_layers)]
        for layer, row in enumerate(table):
            for index, segment in enumerate(row):
                await store(ctx, dut, layer, index, segment)
        for _ in range(60):
            layer, expert = rng.randrange(config.max_layers), rng.randrange(config.max_experts)
            expected, beats = in_beats(config, expert_pieces(table[layer], expert))
            wanted = rng.choice([sum(beats), rng.randrange(1, config.slot_beats + 1)])
            pieces, refused, cycles = await walk(ctx, dut, layer, expert, {"segment_enable": 1, "expert_beats": wanted})
            assert pieces[: len(expected)] == expected
            assert [found for _, found in pieces] == beats
            assert refused == (sum(beats) != wanted)
            assert cycles == dut.latency(enabled=True) == 3 + segments

    simulate(config, bench)


def test_without_the_table_an_expert_is_one_piece():
    settings = {"base": 0x1_0000_0000, "layer_stride": 0x10_0000, "expert_stride": 0x2000, "expert_beats": 100}

    async def bench(ctx, dut):
        await store(ctx, dut, 1, 0, Segment(0, 0, 8))
        pieces, refused, cycles = await walk(ctx, dut, 1, 3, settings)
        assert pieces == [(0x1_0010_6000, 100), (pieces[1][0], 0)] and not refused
        assert cycles == dut.latency(enabled=False) == 4

    simulate(TINY.replace(segments=2), bench)


def test_an_empty_table_refuses_everything():
    async def bench(ctx, dut):
        pieces, refused, _ = await walk(ctx, dut, 0, 0, {"segment_enable": 1, "expert_beats": 100})
        assert refused and [beats for _, beats in pieces] == [0, 0]

    simulate(TINY.replace(segments=2), bench)


def test_addresses_of_61_layers_of_256_experts_of_44_mb():
    """As a serving engine holds DeepSeek-V3: for each layer and projection a tensor [expert, ...]; 688 GB in all."""
    config, projection = DEEPSEEK_V3, 7168 * 2048
    tensor = 256 * projection
    end = 1 << 64
    first = end - 61 * 3 * tensor
    table = [
        [Segment(first + (3 * layer + part) * tensor, projection, projection) for part in range(3)]
        for layer in range(61)
    ]
    assert 61 * 256 * config.slot_bytes == end - first == 687_731_638_272

    async def bench(ctx, dut):
        for layer in (0, 1, 30, 60):
            for index, segment in enumerate(table[layer]):
                await store(ctx, dut, layer, index, segment)
        settings = {"segment_enable": 1, "expert_beats": config.slot_beats}
        for layer, expert in [(0, 0), (0, 255), (1, 0), (30, 100), (60, 254), (60, 255)]:
            pieces, refused, _ = await walk(ctx, dut, layer, expert, settings)
            assert pieces == [
                (first + ((3 * layer + part) * 256 + expert) * projection, projection // 128) for part in range(3)
            ]
            assert not refused
        assert pieces[-1][0] + projection == end, "the last byte is the last one that 64 bits address"

    simulate(config, bench)


def test_one_piece_of_44_mb_beyond_32_bits():
    """The same experts, each in one piece: strides of 44 MB and 11.3 GB."""
    expert = DEEPSEEK_V3.slot_bytes
    settings = {"base": 1 << 63, "layer_stride": 256 * expert, "expert_stride": expert, "expert_beats": expert // 128}

    async def bench(ctx, dut):
        for layer, number in [(0, 255), (60, 255)]:
            pieces, refused, _ = await walk(ctx, dut, layer, number, settings)
            assert pieces[0] == ((1 << 63) + (layer * 256 + number) * expert, 344_064) and not refused

    simulate(DEEPSEEK_V3, bench)


def test_a_register_reads_while_no_walk_does():
    """The walk goes first; the word comes then."""

    async def bench(ctx, dut):
        segment = Segment(0xFEDC_BA98_7654_3210, 0x1000, 64)
        await store(ctx, dut, 2, 1, segment)
        for word, expected in enumerate(segment_words(dut._config, segment)):
            ctx.set(dut.port.word, word)
            ctx.set(dut.port.read, 1)
            ctx.set(dut.walk.settings, {"segment_enable": 1})
            ctx.set(dut.walk.start, word % 2)
            await ctx.tick()
            ctx.set(dut.walk.start, 0)
            waited = 1
            while not ctx.get(dut.port.done):
                await ctx.tick()
                waited += 1
            assert waited == (3 if word % 2 else 1)
            assert ctx.get(dut.port.read_data) == expected
            ctx.set(dut.port.read, 0)
            await ctx.tick()

    simulate(TINY.replace(segments=2), bench)

"""Are words and bus words of a row the same weights, whatever the widths?"""

import random

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.row_layout import RowLayout
from moefetch.predictor_rtl.row_store import RowStore

from ..hw.clocked import run_clocked

ROW = {"layer": 2, "source": 1}
WAY = 3


@pytest.mark.parametrize(
    ("lanes", "bus_bytes", "bits"), [(4, 4, 5), (4, 16, 3), (16, 4, 8), (8, 64, 4), (16, 16, 2), (4, 8, 6)]
)
def test_what_the_bus_fills_the_engine_reads_and_the_other_way_round(lanes, bus_bytes, bits):
    config = UNIT_PRESETS["tiny"].replace(
        max_experts=16, predictors=("weights",), weight_ways=4, weight_sources=((1, 0), (0, 1)), weight_lanes=lanes,
        bus_bytes=bus_bytes, weight_bits=bits,
    )  # fmt: skip
    layout = RowLayout(config)
    rng = random.Random(f"{lanes} {bus_bytes} {bits}")
    weights = [rng.randrange(-(1 << bits - 1), 1 << bits - 1) for _ in range(16)]

    def pack(some):
        return sum((weight & (1 << bits) - 1) << bits * place for place, weight in enumerate(some))

    def address(group):
        return ROW | {"expert": WAY} | ({"group": group} if lanes < 16 else {})

    async def read_words(ctx, dut):
        found = []
        for group in range(16 // lanes):
            ctx.set(dut.read_address, address(group))
            await ctx.tick().repeat(dut.latency)
            found.append(ctx.get(dut.word))
        return found

    async def testbench(ctx, dut):
        ctx.set(dut.row_set, ROW)
        ctx.set(dut.way, WAY)
        ctx.set(dut.moving, 1)
        row = layout.encode_row(weights)
        for index in range(layout.words):
            ctx.set(dut.bus_index, index)
            ctx.set(dut.fill_word, int.from_bytes(row[index * bus_bytes : (index + 1) * bus_bytes], "little"))
            ctx.set(dut.fill, 1)
            await ctx.tick()
        ctx.set(dut.fill, 0)
        ctx.set(dut.moving, 0)
        assert await read_words(ctx, dut) == [pack(weights[at : at + lanes]) for at in range(0, 16, lanes)]
        group = rng.randrange(16 // lanes)
        weights[group * lanes : (group + 1) * lanes] = [-1, *weights[: lanes - 1]]
        ctx.set(dut.write_address, address(group))
        ctx.set(dut.write_word, pack(weights[group * lanes : (group + 1) * lanes]))
        ctx.set(dut.write, 1)
        await ctx.tick()
        ctx.set(dut.write, 0)
        ctx.set(dut.moving, 1)
        ctx.set(dut.read_bus, 1)
        found = b""
        for index in range(layout.words):
            ctx.set(dut.bus_index, index)
            await ctx.tick()
            found += ctx.get(dut.bus_word).to_bytes(bus_bytes, "little")
        assert layout.decode_row(found) == weights
        ctx.set(dut.read_bus, 0)
        ctx.set(dut.bus_index, 0)
        await ctx.tick()
        assert ctx.get(dut.bus_word) == int.from_bytes(found[-bus_bytes:], "little"), "it stays until the next is read"

    run_clocked(RowStore(config=config), testbench)

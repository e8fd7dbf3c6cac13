"""Do WEIGHT_ADDRESS and WEIGHT_DATA move the weights of every table, in order, with any wait?"""

import random

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UnitConfig
from moefetch.hw.register_access import register_offsets, settings_writes, weight_writes
from moefetch.hw.registers import RegisterBank

from .test_registers import OKAY, SLVERR, Master

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")

CONFIG = UnitConfig(max_layers=4, max_experts=12, max_top_k=4, predictors=("st_moe", "weights"))
N_LAYERS, N_EXPERTS = 3, 10
SOURCES = len(CONFIG.weight_sources)


class Tables:
    """A model of the tables behind the port; `done` comes after a random wait."""

    def __init__(self, dut, seed):
        print(f"seed {seed}")
        self.port, self.rng = dut.weights, random.Random(seed)
        self.words = {}

    async def serve(self, ctx):
        port = self.port
        while True:
            while not ctx.get(port.request):
                await ctx.tick()
            await ctx.tick().repeat(self.rng.randint(1, 4))
            key = tuple(ctx.get(getattr(port, name)) for name in ("layer", "source", "row", "quad"))
            if ctx.get(port.write):
                self.words[key] = ctx.get(port.data)
            ctx.set(port.read_data, self.words.get(key, 0))
            ctx.set(port.done, 1)
            await ctx.tick()
            ctx.set(port.done, 0)


def run(drive, seed=1, config=CONFIG):
    dut = RegisterBank(config=config)
    tables = Tables(dut, seed)
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(tables.serve, background=True)

    async def main(ctx):
        for address, word in settings_writes(config, {"n_layers": N_LAYERS, "n_experts": N_EXPERTS}):
            assert (await Master(ctx, dut).write(address, word))[0] == OKAY
        await drive(Master(ctx, dut), tables)

    simulator.add_testbench(main)
    simulator.run()


def test_rows_are_written_and_read_in_the_order_of_the_tables():
    """One address, then data alone: quads, rows, sources and layers follow each other within the live geometry."""
    offsets = register_offsets(CONFIG)
    keys = [
        (layer, source, row, quad)
        for layer in range(N_LAYERS)
        for source in range(SOURCES)
        for row in range(N_EXPERTS)
        for quad in range(3)
    ]

    async def drive(axi, tables):
        assert (await axi.write(offsets["WEIGHT_ADDRESS"], 0))[0] == OKAY
        for number, _ in enumerate(keys[:100]):
            assert (await axi.write(offsets["WEIGHT_DATA"], 0x01000000 + number))[0] == OKAY
        assert tables.words == {key: 0x01000000 + number for number, key in enumerate(keys[:100])}
        assert (await axi.write(offsets["WEIGHT_ADDRESS"], 0))[0] == OKAY
        for number, _ in enumerate(keys[:100]):
            assert (await axi.read(offsets["WEIGHT_DATA"]))[:2] == (OKAY, 0x01000000 + number)
        last = (N_LAYERS - 1) << 22 | (SOURCES - 1) << 18 | (N_EXPERTS - 1) << 8 | 2
        assert (await axi.write(offsets["WEIGHT_ADDRESS"], last))[0] == OKAY
        assert (await axi.write(offsets["WEIGHT_DATA"], 7))[0] == OKAY
        assert tables.words[keys[-1]] == 7
        assert (await axi.read(offsets["WEIGHT_ADDRESS"]))[:2] == (OKAY, 0)

    run(drive)


def test_weight_writes_are_what_the_bank_takes():
    rows = [(2, 1, 3, bytes(range(250, 256)) + bytes([1, 2, 3, 4])), (0, 3, 9, bytes(10))]

    async def drive(axi, tables):
        for address, word in weight_writes(CONFIG, rows):
            assert (await axi.write(address, word))[0] == OKAY
        assert tables.words == {
            (2, 1, 3, 0): 0xFDFCFBFA, (2, 1, 3, 1): 0x0201FFFE, (2, 1, 3, 2): 0x0403,
            (0, 3, 9, 0): 0, (0, 3, 9, 1): 0, (0, 3, 9, 2): 0,
        }  # fmt: skip

    run(drive, 2)


def test_addresses_out_of_range_and_partial_words_are_rejected():
    async def drive(axi, tables):
        offsets = axi.offsets
        for word in (CONFIG.max_layers << 22, SOURCES << 18, CONFIG.max_experts << 8, 3):
            assert (await axi.write(offsets["WEIGHT_ADDRESS"], word))[0] == SLVERR
        assert (await axi.write(offsets["WEIGHT_DATA"], 1, strobe=7))[0] == SLVERR
        assert tables.words == {}

    run(drive)


def test_without_the_predictor_there_are_no_such_registers():
    assert "WEIGHT_DATA" not in register_offsets(CONFIG.replace(predictors=("st_moe",)))


def test_rows_in_memory_are_accessed_only_while_tables_are_in_use():
    config = CONFIG.replace(predictors=("weights",), weight_ways=2)
    offsets = register_offsets(config)

    async def drive(axi, tables):
        assert (await axi.write(offsets["WEIGHT_DATA"], 1))[0] == SLVERR
        assert (await axi.read(offsets["WEIGHT_DATA"]))[0] == SLVERR
        assert not tables.words
        assert (await axi.write(offsets["TABLE_CONTROL"], 1))[0] == OKAY
        assert (await axi.write(offsets["WEIGHT_DATA"], 1))[0] == OKAY
        assert (await axi.write(offsets["WEIGHT_ADDRESS"], 0))[0] == OKAY
        assert (await axi.read(offsets["WEIGHT_DATA"]))[:2] == (OKAY, 1)

    run(drive, config=config)

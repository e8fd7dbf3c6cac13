"""Where tables are paged: do accesses ask for their page and wait, and are they rejected while tables are not used?"""

import pytest
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.counter_names import COUNTERS
from moefetch.hw.register_access import counter_offset, settings_writes
from moefetch.hw.registers import RegisterBank

from .test_registers import OKAY, SLVERR, Master

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")

CONFIG = UNIT_PRESETS["tiny"].replace(predictors=("st_moe",), table_window=3)
BASE = 0xFEDC_BA98_7654_3000


def run(drive, *, pages=True):
    """Run `drive(axi, log)` beside a table whose pages come after some cycles, or never."""
    dut = RegisterBank(config=CONFIG)
    simulator, log = Simulator(dut), []
    simulator.add_clock(1e-8)

    async def table(ctx):
        port = dut.tables[0]
        ctx.set(port.read_expert, 5)
        while pages:
            while not ctx.get(port.request):
                await ctx.tick()
            await ctx.tick().repeat(7)
            assert ctx.get(port.request), "a request stays until it is served"
            ctx.set(port.ready, 1)
            accesses = ctx.get(port.read), ctx.get(port.write)
            log.append((ctx.get(port.layer), ctx.get(port.row), ctx.get(port.entry), *accesses))
            await ctx.tick()
            ctx.set(port.ready, 0)
            await ctx.tick()

    async def main(ctx):
        axi = Master(ctx, dut)
        axi.dut = dut
        await drive(axi, log)

    simulator.add_testbench(table, background=True)
    simulator.add_testbench(main)
    simulator.run()


def test_an_access_asks_for_its_page_and_waits():
    async def drive(axi, log):
        for address, word in settings_writes(CONFIG, {"table_base": BASE, "table_enable": 1}):
            assert (await axi.write(address, word))[0] == OKAY
        settings = axi.ctx.get(axi.dut.settings)
        assert (settings.table_base, settings.table_enable) == (BASE, 1)
        await axi.write(axi.offsets["TABLE_ADDRESS"], 2 << 20 | 6 << 8 | 1)
        response, cycles = await axi.write(axi.offsets["TABLE_DATA"], 3 | 2 << 16)
        assert response == OKAY and cycles > 7
        assert (await axi.read(axi.offsets["TABLE_DATA"]))[:2] == (OKAY, 5)
        assert log == [(2, 6, 1, 0, 1), (2, 7, 0, 1, 0)]

    run(drive)


def test_without_tables_no_access_waits():
    async def drive(axi, log):
        assert (await axi.write(axi.offsets["TABLE_DATA"], 1))[0] == SLVERR
        assert (await axi.read(axi.offsets["TABLE_DATA"]))[0] == SLVERR
        assert (await axi.write(axi.offsets["TABLE_CONTROL"], 1))[0] == OKAY
        assert (await axi.write(axi.offsets["TABLE_DATA"], 1, strobe=3))[0] == SLVERR
        assert not axi.ctx.get(axi.dut.tables[0].request)

    run(drive, pages=False)


def test_the_pages_counters_follow_the_others():
    assert counter_offset(CONFIG, "table_loads") == counter_offset(CONFIG, list(COUNTERS)[-1]) + 8
    assert counter_offset(CONFIG, "table_lost") == counter_offset(CONFIG, "table_loads") + 8 * 8

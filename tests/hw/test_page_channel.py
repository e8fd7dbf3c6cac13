"""Do table bursts keep AXI's rules and their place behind the experts', and is every answer told?"""

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.page_channel import TABLES, PageChannel

from .clocked import run_clocked

CONFIG = UNIT_PRESETS["tiny"].replace(max_experts=64, predictors=("st_moe",), table_window=3)
BASE = 0x1234_5678_9ABC_D000
PAGE_BYTES = 256
OKAY, SLVERR, DECERR = 0, 2, 3


def run(body):
    async def testbench(ctx, dut):
        for name, value in {"base": BASE, "cache": 11, "prot": 5}.items():
            ctx.set(getattr(dut, name), value)
        await body(ctx, dut)

    run_clocked(PageChannel(config=CONFIG), testbench)


async def request(ctx, dut, *, write, layer=3, word=4, beats=3):
    """Make a request; return the cycles until it was taken."""
    port = dut.pages.request
    ctx.set(port.payload, {"write": write, "page": layer, "word": word, "length": beats - 1})
    ctx.set(port.valid, 1)
    cycles = 0
    while not ctx.get(port.ready):
        await ctx.tick()
        cycles += 1
    await ctx.tick()
    ctx.set(port.valid, 0)
    return cycles


async def beat(ctx, dut, word, *, response=OKAY, last=0, burst_id=TABLES):
    """Bring a beat; return what came of it in the cycle after."""
    axi = dut.axi
    for name, value in {"rvalid": 1, "rid": burst_id, "rdata": word, "rresp": response, "rlast": last}.items():
        ctx.set(getattr(axi, name), value)
    await ctx.tick()
    ctx.set(axi.rvalid, 0)
    pages = dut.pages
    return tuple(ctx.get(s) for s in (pages.read_valid, pages.read_data, pages.done, pages.error))


@pytest.mark.parametrize("bad", [None, 0, 2])
def test_a_read(bad):
    async def body(ctx, dut):
        axi = dut.axi
        for bad_now in (bad, None):  # an error is forgotten with its burst
            assert await request(ctx, dut, write=0) == 0
            await ctx.tick().repeat(2)
            address = ctx.get(axi.arvalid), ctx.get(axi.araddr), ctx.get(axi.arid), ctx.get(axi.arlen)
            assert address == (1, BASE + 3 * PAGE_BYTES + 16, TABLES, 2)
            found = [ctx.get(getattr(axi, f"ar{name}")) for name in ("size", "burst", "cache", "prot", "qos", "lock")]
            assert found == [2, 1, 11, 5, 0, 0]
            ctx.set(axi.arready, 1)
            await ctx.tick()
            ctx.set(axi.arready, 0)
            assert not ctx.get(axi.arvalid)
            for number in range(3):
                response = SLVERR if number == bad_now else OKAY
                found = await beat(ctx, dut, 0xABCD0000 + number, response=response, last=number == 2)
                error = bad_now is not None
                word = 0 if number == bad_now else 0xABCD0000 + number
                assert found[:3] == (1, word, number == 2) and (not found[2] or found[3] == error)
                assert ctx.get(dut.beat_read) and not ctx.get(dut.protocol_error)
            await ctx.tick()
            assert not ctx.get(dut.pages.done)

    run(body)


@pytest.mark.parametrize("response", [OKAY, SLVERR, DECERR])
@pytest.mark.parametrize("order", ["address first", "words first", "together"])
def test_a_write(order, response):
    async def body(ctx, dut):
        axi, pages = dut.axi, dut.pages
        await request(ctx, dut, write=1, layer=2, word=0, beats=3)
        ctx.set(axi.awready, order != "words first")
        ctx.set(axi.wready, order != "address first")
        words, taken = [7, 8, 9], []
        ctx.set(pages.write.valid, 1)
        for cycle in range(10):
            if cycle == 5:
                ctx.set(axi.awready, 1)
                ctx.set(axi.wready, 1)
            if words:
                ctx.set(pages.write.payload, words[0])
            if ctx.get(axi.awvalid):
                assert (ctx.get(axi.awaddr), ctx.get(axi.awid), ctx.get(axi.awlen)) == (BASE + 512, TABLES, 2)
            if ctx.get(axi.wvalid) and ctx.get(axi.wready):
                taken.append((ctx.get(axi.wdata), ctx.get(axi.wstrb), ctx.get(axi.wlast)))
                words = words[1:]
            await ctx.tick()
        assert taken == [(7, 15, 0), (8, 15, 0), (9, 15, 1)] and not ctx.get(axi.awvalid) and not ctx.get(axi.wvalid)
        assert not ctx.get(pages.done) and not ctx.get(dut.pages.request.ready)
        ctx.set(axi.bvalid, 1)
        ctx.set(axi.bresp, response)
        await ctx.tick()
        ctx.set(axi.bvalid, 0)
        assert (ctx.get(pages.done), ctx.get(pages.error)) == (1, response != OKAY)
        assert ctx.get(dut.pages.request.ready) and not ctx.get(dut.protocol_error)

    run(body)


def test_experts_go_first_and_an_address_on_its_way_stays():
    async def body(ctx, dut):
        axi, dma, port = dut.axi, dut.dma, dut.pages.request
        ctx.set(dma.araddr, 0x5000)
        ctx.set(dma.arid, 1)
        ctx.set(dma.arqos, 9)
        ctx.set(dut.hold, 1)
        ctx.set(port.valid, 1)
        assert not ctx.get(port.ready), "an expert waits"
        ctx.set(dut.hold, 0)
        ctx.set(dma.arvalid, 1)
        assert not ctx.get(port.ready), "an expert's address waits"
        assert (ctx.get(axi.arvalid), ctx.get(axi.araddr), ctx.get(axi.arid), ctx.get(axi.arqos)) == (1, 0x5000, 1, 9)
        ctx.set(dma.arvalid, 0)
        assert ctx.get(port.ready)
        await ctx.tick()
        ctx.set(port.valid, 0)
        ctx.set(dma.arvalid, 1)
        ctx.set(dut.hold, 1)
        for _ in range(3):
            assert (ctx.get(axi.arvalid), ctx.get(axi.araddr), ctx.get(axi.arid)) == (1, BASE, TABLES)
            assert not ctx.get(dma.arready)
            await ctx.tick()
        ctx.set(axi.arready, 1)
        assert not ctx.get(dma.arready)
        await ctx.tick()
        assert (ctx.get(axi.arid), ctx.get(dma.arready)) == (1, 1)
        # The experts' beats pass by, at once, and are none of the tables'.
        assert await beat(ctx, dut, 5, burst_id=1, last=1) == (0, 5, 0, 0) and not ctx.get(dut.protocol_error)
        ctx.set(axi.rvalid, 1)
        assert (ctx.get(dma.rvalid), ctx.get(dma.rid), ctx.get(dma.rdata)) == (1, 1, 5)
        ctx.set(axi.rid, TABLES)
        assert not ctx.get(dma.rvalid)

    run(body)


def test_what_nobody_asked_for_is_told_and_changes_nothing():
    async def body(ctx, dut):
        axi = dut.axi
        assert (await beat(ctx, dut, 1))[0] == 0 and ctx.get(dut.protocol_error)
        ctx.set(axi.bvalid, 1)
        await ctx.tick()
        ctx.set(axi.bvalid, 0)
        assert ctx.get(dut.protocol_error) and not ctx.get(dut.pages.done)
        await request(ctx, dut, write=0, beats=2)
        assert (await beat(ctx, dut, 2))[0] == 0 and ctx.get(dut.protocol_error), "before its address was taken"
        ctx.set(axi.arready, 1)
        await ctx.tick()
        assert (await beat(ctx, dut, 3, last=1))[:3] == (1, 3, 0) and ctx.get(dut.protocol_error), "a wrong RLAST"
        assert (await beat(ctx, dut, 4, last=0))[:3] == (1, 4, 1) and ctx.get(dut.protocol_error)

    run(body)

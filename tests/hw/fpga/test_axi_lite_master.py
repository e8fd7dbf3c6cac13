"""Does each access make exactly one transfer a channel, and does its answer come back, however the slave waits?"""

import random

import pytest
from amaranth.sim import Simulator
from moefetch.hw.axi_lite import OKAY, SLVERR
from moefetch.hw.fpga.axi_lite_master import AxiLiteMaster


def played(accesses, *, waits):
    """Return the slave's transfers and the master's answers; errors are answered at addresses from 0x800 on."""
    dut = AxiLiteMaster()
    rng = random.Random(waits)
    transfers, answers = [], []

    def sometimes():
        return waits == 0 or rng.random() < 1 / (1 + waits)

    async def slave(ctx):
        bus = dut.bus
        pending = {}
        while True:
            ready = {name: sometimes() for name in ("aw", "w", "ar")}
            for name, value in ready.items():
                ctx.set(getattr(bus, f"{name}ready"), value)
            write_answer = {"aw", "w"} <= pending.keys() and sometimes()
            read_answer = "ar" in pending and sometimes()
            ctx.set(bus.bvalid, write_answer)
            ctx.set(bus.bresp, SLVERR if pending.get("aw", 0) >= 0x800 else OKAY)
            ctx.set(bus.rvalid, read_answer)
            ctx.set(bus.rdata, pending.get("ar", 0) * 3)
            ctx.set(bus.rresp, SLVERR if pending.get("ar", 0) >= 0x800 else OKAY)
            _, _, awvalid, wvalid, arvalid, address, word, read = await ctx.tick().sample(
                bus.awvalid, bus.wvalid, bus.arvalid, bus.awaddr, bus.wdata, bus.araddr
            )
            if write_answer:
                transfers.append(("write", pending.pop("aw"), pending.pop("w")))
            if read_answer:
                transfers.append(("read", pending.pop("ar"), 0))
            for name, valid, value in (("aw", awvalid, address), ("w", wvalid, word), ("ar", arvalid, read)):
                if valid and ready[name]:
                    assert name not in pending, "a second transfer"
                    pending[name] = value

    async def user(ctx):
        for write, address, word in accesses:
            ctx.set(dut.access.payload, {"write": write, "address": address, "data": word})
            ctx.set(dut.access.valid, 1)
            await ctx.tick().until(dut.access.ready)
            ctx.set(dut.access.valid, 0)
            answer = await ctx.tick().sample(dut.answer.payload).until(dut.answer.valid)
            answers.append((answer[0].data if not write else None, answer[0].error))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(slave, background=True)
    sim.add_testbench(user)
    sim.run()
    return transfers, answers


@pytest.mark.parametrize("waits", [0, 1, 4])
def test_every_access_is_made_once_and_answered(waits):
    rng = random.Random(waits)
    accesses = [(rng.randrange(2), rng.randrange(1024) * 4, rng.randrange(1 << 32)) for _ in range(40)]
    transfers, answers = played(accesses, waits=waits)
    assert transfers == [("write", a, d) if write else ("read", a, 0) for write, a, d in accesses]
    assert answers == [(None if write else a * 3, int(a >= 0x800)) for write, a, _ in accesses]


def test_the_address_is_valid_after_the_latency():
    dut = AxiLiteMaster()
    seen = []

    async def bench(ctx):
        ctx.set(dut.access.payload, {"write": 0, "address": 4, "data": 0})
        ctx.set(dut.access.valid, 1)
        for _ in range(3):
            _, _, ready, valid = await ctx.tick().sample(dut.access.ready, dut.bus.arvalid)
            seen.append((ready, valid))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    assert seen.index((1, 0)) + AxiLiteMaster.latency == [valid for _, valid in seen].index(1)

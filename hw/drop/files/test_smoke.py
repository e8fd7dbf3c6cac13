# SPDX-License-Identifier: Apache-2.0
"""Smoke test of moefetch_unit with cocotb: plays smoke.hex against third parties' AXI models."""

import json
import logging
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiReadBus, AxiResp, AxiSlaveRead

HERE = Path(__file__).resolve().parent
SIZES = json.loads((HERE / "sizes.json").read_text())
END, WRITE, READ, ROUTE, GRANT, REST, RELEASE, FAULT = range(8)
ERROR = 3
PATIENCE = 100_000


def program():
    """Yield (operation, a, b) of each instruction."""
    for line in (HERE.parent / "smoke.hex").read_text().splitlines():
        words = line.partition("//")[0].strip()
        if words:
            yield tuple(int(word, 16) for word in words.split("_"))


def pattern(address):
    """Return the 32-bit word that lies in memory at an address."""
    low, high = address >> 7 & 0xFFFFFFFF, address >> 39
    swapped = (high << 16 | high >> 16) & 0xFFFFFFFF
    return ((low ^ swapped) * 0xC2B2AE35 + 0x9E3779B9 + (address >> 2 & 31) * 0x85EBCA6B) & 0xFFFFFFFF


class Memory:
    """Answers reads with the pattern, and with an error in a range of addresses."""

    def __init__(self):
        self.bad = range(0)

    async def read(self, address, length):
        """Return bytes; raise for an error response."""
        if address in self.bad:
            raise OSError("error response asked for by the vectors")
        return b"".join(pattern(word).to_bytes(4, "little") for word in range(address, address + length, 4))


class Bench:
    """One unit and what surrounds it."""

    def __init__(self, dut):
        self.dut, self.memory, self.quiet, self.grants = dut, Memory(), 0, 0
        self.slave = AxiSlaveRead(AxiReadBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=self.memory)
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        for part in (
            self.slave,
            self.slave.ar_channel,
            self.slave.r_channel,
            self.master.write_if,
            self.master.read_if,
        ):
            part.log.setLevel(logging.ERROR)
        for name in ("route_valid", "hint_valid", "release_valid", "grant_ready"):
            getattr(dut, name).value = 0
        for index in range(SIZES["n_pe"]):
            getattr(dut, f"read_{index}_valid").value = 0

    async def start(self):
        """Reset the unit and begin to watch its ports."""
        cocotb.start_soon(Clock(self.dut.clk, 10, unit="ns").start())
        self.dut.rst.value = 1
        for _ in range(4):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0
        cocotb.start_soon(self.watch())

    async def watch(self):
        """Count the cycles in which nothing moves."""
        dut = self.dut
        moving = (dut.m_axi_arvalid, dut.m_axi_rvalid, dut.route_valid, dut.release_valid, dut.grant_valid)
        while True:
            await RisingEdge(dut.clk)
            self.quiet = 0 if any(signal.value == 1 for signal in moving) else self.quiet + 1

    async def handshake(self, ready):
        """Wait for the rising edge at which `ready` is 1, and go on to the falling one."""
        for _ in range(PATIENCE):
            await RisingEdge(self.dut.clk)
            took = ready.value == 1
            await FallingEdge(self.dut.clk)
            if took:
                return
        raise AssertionError("the unit hangs")

    async def send(self, stream, **fields):
        """Offer a payload until it is taken."""
        for name, value in fields.items():
            getattr(self.dut, f"{stream}_{name}").value = value
        getattr(self.dut, f"{stream}_valid").value = 1
        await self.handshake(getattr(self.dut, f"{stream}_ready"))
        getattr(self.dut, f"{stream}_valid").value = 0

    async def take_grant(self, expected, total):
        """Compare the next grant, and the sum over its words."""
        dut, found = self.dut, 0
        dut.grant_ready.value = 1
        for _ in range(PATIENCE):
            await RisingEdge(dut.clk)
            if dut.grant_valid.value == 1:
                shares = ((dut.grant_layer, 0), (dut.grant_expert, 16), (dut.grant_slot, 32), (dut.grant_status, 48))
                found = sum(int(signal.value) << place for signal, place in shares)
                break
        await FallingEdge(dut.clk)
        dut.grant_ready.value = 0
        assert found == expected, f"grant {found:#x}, expected {expected:#x}"
        self.grants += 1
        if found >> 48 != ERROR:
            assert await self.sum_of(found >> 32 & 0xFFFF) == total, f"data of grant {found:#x}"

    async def sum_of(self, slot):
        """Read all words of a slot through one of the read ports."""
        port, total = f"read_{self.grants % SIZES['n_pe']}", 0
        read = {name: getattr(self.dut, f"{port}_{name}") for name in ("valid", "ready", "slot", "beat", "data")}
        read["slot"].value, read["valid"].value = slot, 1
        for beat in range(SIZES["expert_beats"]):
            read["beat"].value = beat
            await self.handshake(read["ready"])
            word = int(read["data"].value)
            for lane in range(SIZES["bus_bytes"] // 4):
                total = (total << 1 & 0xFFFFFFFF | total >> 31) ^ (word >> 32 * lane & 0xFFFFFFFF)
        read["valid"].value = 0
        return total

    async def execute(self, operation, a, b):
        """Carry out one instruction."""
        if operation == WRITE:
            assert (await self.master.write(a, b.to_bytes(4, "little"))).resp == AxiResp.OKAY
        elif operation == READ:
            found = int.from_bytes((await self.master.read(a, 4)).data, "little")
            assert found == b, f"register 0x{a:03X} is {found:#x}, expected {b:#x}"
        elif operation == ROUTE:
            await self.send("route", layer=a & 0xFFFF, expert=a >> 16 & 0xFFFF, score=a >> 32 & 0xFF,
                            token_last=a >> 40 & 1, last=a >> 41 & 1, sequence_start=a >> 42 & 1)  # fmt: skip
        elif operation == GRANT:
            await self.take_grant(a, b)
        elif operation == REST:
            while self.quiet < SIZES["rest_cycles"]:
                await FallingEdge(self.dut.clk)
                assert self.dut.grant_valid.value == 0, "a grant too many"
        elif operation == RELEASE:
            await self.send("release", layer=a & 0xFFFF, expert=a >> 16 & 0xFFFF, slot=a >> 32 & 0xFFFF, status=a >> 48)
        elif operation == FAULT:
            self.memory.bad = range(a, a + b)


@cocotb.test()
async def smoke(dut):
    """Play the golden vectors."""
    bench = Bench(dut)
    await bench.start()
    for operation, a, b in program():
        if operation == END:
            break
        await bench.execute(operation, a, b)
    assert dut.irq.value == 1
    assert bench.grants

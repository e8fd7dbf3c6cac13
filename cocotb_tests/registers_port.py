"""The unit's register port as `registers_bench` uses it, which keeps account of the fields that were met."""

import os
import random
from collections import defaultdict

import cocotb
from axi_agents import Registers
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from moefetch.hw.config import UnitConfig
from moefetch.hw.register_access import field_table, register_offsets
from moefetch.hw.register_map import WORD_BYTES, register_map

CONFIG = UnitConfig.model_validate_json(os.environ["UNIT_CONFIG"])
PERIOD_NS = 10
REGISTERS = {register.name: register for register in register_map(CONFIG)}
OFFSETS, FIELDS = register_offsets(CONFIG), field_table(CONFIG)
MET = defaultdict(set)
"""Field -> the values that it was found to have, as it must, over all tests of a run."""


async def start(dut):
    """Reset with every input at rest; return the register port."""
    for name in ("route", "hint", "release"):
        getattr(dut, f"{name}_valid").value = 0
    for index in range(CONFIG.n_pe):
        getattr(dut, f"read_{index}_valid").value = 0
    for name in ("arready", "rvalid", *(("awready", "wready", "bvalid") if CONFIG.pages_tables else ())):
        getattr(dut, f"m_axi_{name}").value = 0
    dut.grant_ready.value = 0
    cocotb.start_soon(Clock(dut.clk, PERIOD_NS, unit="ns").start())
    dut.rst.value = 1
    port = FieldPort(dut, "s_axil", random.Random(1))
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 2)
    return port


def elements():
    """Yield each register and its byte address, of arrays each element's."""
    for register in REGISTERS.values():
        for index in range(register.count):
            yield register, register.offset + register.stride * index


class FieldPort(Registers):
    """Accesses by register and by field."""

    async def put(self, register, address, word):
        """Write a register of one or two words; return the responses."""
        return [
            await self.response(address + WORD_BYTES * index, (word >> 32 * index & 0xFFFFFFFF).to_bytes(4, "little"))
            for index in range(register.words)
        ]

    async def field(self, name):
        """Return a field's value; of a register of one word."""
        place = FIELDS[name]
        return await self.read(place.offset) >> place.lsb & ((1 << place.width) - 1)

    async def expect(self, **values):
        """Require fields to have these values."""
        for name, value in values.items():
            assert (found := await self.field(name)) == value, f"{name} is {found}, not {value}"
            MET[name].add(value)

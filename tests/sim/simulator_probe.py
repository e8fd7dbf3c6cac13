"""cocotb tests that test_simulator.py runs: one that passes and one that fails on purpose."""

import os

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge


@cocotb.test()
async def counts(dut):
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    dut.rst.value = 1
    await ClockCycles(dut.clk, 2)
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 1000)
    await FallingEdge(dut.clk)
    assert int(dut.count.value) == 1000 * int(os.environ["PROBE_STEP"])
    await RisingEdge(dut.clk)


@cocotb.test()
async def fails(dut):
    raise AssertionError("on purpose")

"""Does a bank read what was written, one cycle later, in Amaranth and in the Verilog that stands for it?"""

import gc
import random
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import UnusedElaboratable
from amaranth.sim import Simulator
from moefetch.hw import sram_bank
from moefetch.hw.config import bits_for
from moefetch.hw.sram_bank import WRAPPER_MODULE, SramBank
from moefetch.hw.verilog_platform import VerilogPlatform

MODEL = Path(sram_bank.__file__).parent / "verilog" / f"{WRAPPER_MODULE}.v"


def random_accesses(rng, depth, width, count):
    """Return (en, we, addr, wdata, expected rdata after the edge); reads touch only what has been written."""
    words, held, accesses = {}, None, []
    for _ in range(count):
        addr = rng.randrange(depth)
        we = int(addr not in words or rng.random() < 0.4)
        en = int(rng.random() < 0.8)
        wdata = rng.randrange(1 << width)
        if en and we:
            words[addr] = wdata
        elif en:
            held = words[addr]
        accesses.append((en, we, addr, wdata, held))
    return accesses


@pytest.mark.parametrize(("depth", "width"), [(1, 1), (1, 32), (6, 8), (64, 1024)])
def test_random_accesses(depth, width):
    seed = depth
    print(f"seed {seed}")
    dut = SramBank(depth=depth, width=width)

    async def bench(ctx):
        for en, we, addr, wdata, expected in random_accesses(random.Random(seed), depth, width, 500):
            for port, value in ((dut.en, en), (dut.we, we), (dut.addr, addr), (dut.wdata, wdata)):
                ctx.set(port, value)
            await ctx.tick()
            if expected is not None:
                assert ctx.get(dut.rdata) == expected

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()


def test_latency():
    dut = SramBank(depth=4, width=8)

    async def bench(ctx):
        ctx.set(dut.en, 1)
        ctx.set(dut.we, 1)
        ctx.set(dut.wdata, 0x5A)
        await ctx.tick()
        ctx.set(dut.we, 0)
        for _ in range(dut.latency):
            assert ctx.get(dut.rdata) != 0x5A, "n - 1"
            await ctx.tick()
        assert ctx.get(dut.rdata) == 0x5A, "n"

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()


@pytest.mark.parametrize(("depth", "width"), [(0, 8), (4, 0)])
def test_empty_bank_is_refused(depth, width):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)  # Amaranth's, on the half-made bank
        with pytest.raises(ValueError, match="must be at least 1"):
            SramBank(depth=depth, width=width)
        gc.collect()


def test_emission_names_the_wrapper_and_keeps_the_memory_inside():
    text = rtlil.convert(SramBank(depth=6, width=8), platform=VerilogPlatform(), emit_src=False)
    assert f"cell \\{WRAPPER_MODULE}" in text
    assert "memory" not in text


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.parametrize(("depth", "width"), [(1, 8), (6, 32)])
def test_verilog_model_agrees(tmp_path, depth, width):
    seed = 7
    print(f"seed {seed}")
    addr_bits = bits_for(depth)
    steps = []
    for en, we, addr, wdata, expected in random_accesses(random.Random(seed), depth, width, 200):
        steps.append(f"en = {en}; we = {we}; addr = {addr}; wdata = {width}'d{wdata}; #1 clk = 1; #1 clk = 0;")
        if expected is not None:
            steps.append(f"if (rdata !== {width}'d{expected}) errors = errors + 1;")
    bench = tmp_path / "bench.v"
    bench.write_text(
        f"""module bench;
reg clk, en, we; reg [{addr_bits - 1}:0] addr; reg [{width - 1}:0] wdata; wire [{width - 1}:0] rdata;
integer errors;
{WRAPPER_MODULE} #(.WIDTH({width}), .DEPTH({depth}), .ADDR_BITS({addr_bits})) bank
    (.clk(clk), .en(en), .we(we), .addr(addr), .wdata(wdata), .rdata(rdata));
initial begin
clk = 0; errors = 0;
{chr(10).join(steps)}
$display("errors %0d", errors);
end
endmodule
"""
    )
    program = tmp_path / "bench.vvp"
    subprocess.run(["iverilog", "-g2001", "-Wall", "-o", program, bench, MODEL], check=True)
    result = subprocess.run(["vvp", program], check=True, capture_output=True, text=True)
    assert result.stdout.split() == ["errors", "0"]

"""Do memories become instances of the wrapper that behave alike, and are those refused that the wrapper cannot be?"""

import random
import shutil
import subprocess

import pytest
from amaranth.hdl import Fragment, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.emit import render_module, wrapper_source, wrappers_in
from moefetch.hw.verilog_platform import RAM_MODULE, WrappedMemories

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
CYCLES = 300


class Table(wiring.Component):
    """A memory of words of 12 bits in three lanes, and its ports."""

    ren: In(1)
    raddr: In(3)
    rdata: Out(12)
    wen: In(3)
    waddr: In(3)
    wdata: In(12)

    def __init__(self, depth):
        self.depth = depth
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=12, depth=self.depth, init=[])
        read, write = memory.read_port(), memory.write_port(granularity=4)
        m.d.comb += [
            read.en.eq(self.ren), read.addr.eq(self.raddr), self.rdata.eq(read.data),
            write.en.eq(self.wen), write.addr.eq(self.waddr), write.data.eq(self.wdata),
        ]  # fmt: skip
        return m


def traffic(depth):
    """Return (ren, raddr, wen, waddr, wdata) a cycle; many of the reads and writes are of one row."""
    rng = random.Random(3)
    return [
        (
            rng.randrange(2),
            rng.randrange(depth),
            rng.choice((0, 7, rng.randrange(8))),
            rng.randrange(depth),
            rng.getrandbits(12),
        )
        for _ in range(CYCLES)
    ]


def in_amaranth(depth):
    table, found = Table(depth), []

    async def bench(ctx):
        for row in traffic(depth):
            for signal, value in zip((table.ren, table.raddr, table.wen, table.waddr, table.wdata), row, strict=True):
                ctx.set(signal, value)
            await ctx.tick()
            found.append(ctx.get(table.rdata))

    simulator = Simulator(table)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def in_icarus(folder, depth):
    config = UNIT_PRESETS["tiny"]
    verilog, _ = render_module(Table(depth), name="table_of", config=config, platform=WrappedMemories())
    assert wrappers_in(verilog) == [RAM_MODULE] and " memory [" not in verilog
    rows = "\n".join(
        f"    ren = {ren}; raddr = {raddr}; wen = {wen}; waddr = {waddr}; wdata = {wdata};"
        ' @(negedge clk) $display("%0d", rdata);'
        for ren, raddr, wen, waddr, wdata in traffic(depth)
    )
    bench = (
        "module bench; reg clk = 0, ren; reg [2:0] raddr, waddr, wen; reg [11:0] wdata; wire [11:0] rdata;\n"
        "  table_of dut(.clk(clk), .rst(1'b0), .ren(ren), .raddr(raddr), .wen(wen), .waddr(waddr), .wdata(wdata),\n"
        f"    .rdata(rdata));\n  always #5 clk = !clk;\n  initial begin\n{rows}\n    $finish;\n  end\nendmodule\n"
    )
    (folder / "bench.v").write_text(bench + verilog + wrapper_source(RAM_MODULE))
    subprocess.run(["iverilog", "-g2001", "-o", "bench.vvp", "bench.v"], cwd=folder, check=True)
    printed = subprocess.run(["vvp", "bench.vvp"], cwd=folder, check=True, capture_output=True, text=True).stdout
    return list(map(int, printed.split()))


@pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed")
@pytest.mark.parametrize("depth", [5, 1])
def test_the_wrapper_behaves_as_the_memory(tmp_path, depth):
    assert in_icarus(tmp_path, depth) == in_amaranth(depth)


def two_reads(memory):
    return [memory.read_port(), memory.read_port(), memory.write_port()]


def transparent(memory):
    write = memory.write_port()
    return [memory.read_port(transparent_for=[write])]


def combinational(memory):
    return [memory.read_port(domain="comb"), memory.write_port()]


@pytest.mark.parametrize(
    ("ports", "init", "rule"),
    [
        (two_reads, [], "one read and one write port"),
        (transparent, [], "old data on a collision"),
        (combinational, [], "read on a clock edge"),
        (lambda memory: [memory.read_port(), memory.write_port()], [1], "begin as 0"),
    ],
)
def test_other_memories_are_refused(ports, init, rule):
    memory = Memory(shape=8, depth=4, init=init)
    ports(memory)
    with pytest.raises(NotImplementedError, match=rule):
        Fragment.get(memory, WrappedMemories())

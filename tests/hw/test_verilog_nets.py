"""Is a net that yosys drives part by part driven at once, and by the same expressions?"""

from moefetch.hw.verilog_nets import whole_nets


def module(*lines):
    return "module m;\n" + "".join(f"  {line}\n" for line in lines) + "endmodule\nmodule other;\nendmodule\n"


def test_parts_are_joined_and_keep_their_widths():
    text = module("wire [7:0] a;", "wire c;", "assign a[3:0] = x + y;", "assign { c, a[7:4] } = x - y;")
    assert whole_nets(text) == module(
        "wire [7:0] a;",
        "wire c;",
        "wire [3:0] _parts_1_ = x + y;",
        "wire [4:0] _parts_2_ = x - y;",
        "assign c = _parts_2_[4:4];",
        "assign a = { _parts_2_[3:0], _parts_1_ };",
    )


def test_a_single_bit_is_a_part():
    text = module("wire [1:0] a;", "assign a[1] = x;", "assign a[0] = y;")
    assert whole_nets(text) == module(
        "wire [1:0] a;", "wire _parts_1_ = x;", "wire _parts_2_ = y;", "assign a = { _parts_1_, _parts_2_ };"
    )


def test_other_nets_stay():
    for lines in (
        ("wire [7:0] a;", "assign a[3:0] = x;"),
        ("wire [7:0] a;", "assign a[3:0] = x;", "assign a[7:5] = y;"),
        ("wire [7:0] a;", "assign a[4:0] = x;", "assign a[7:4] = y;"),
        ("wire [7:0] a;", "assign a = x;"),
        ("reg [7:0] a;", "assign a[3:0] = x;", "assign a[7:4] = y;"),
        ("wire [7:0] a;", "assign { unknown, a[3:0] } = x;", "assign a[7:4] = y;"),
    ):
        assert whole_nets(module(*lines)) == module(*lines)


def test_a_second_module_stays():
    text = module("wire a;") + "module m;\n  wire [1:0] b;\n  assign b[1] = x;\n  assign b[0] = y;\nendmodule\n"
    assert whole_nets(text) == text

"""Do the last touches keep what the Verilog means, and give plain names?"""

from moefetch.hw.verilog_text import loops_for_zero_memories, plain_identifiers, zero_read_registers


def test_escaped_identifiers_become_plain_ones():
    text = "  wire \\a.b$1 ;\n  assign \\a.b$1  = \\9x [3] & plain;\n"
    assert plain_identifiers(text) == "  wire a_b_1;\n  assign a_b_1 = _9x[3] & plain;\n"


def test_names_that_clash_stay_apart():
    text = "  wire a_b; wire \\a.b ; wire \\a$b ; assign \\a.b  = \\a$b  & a_b;\n"
    assert plain_identifiers(text) == "  wire a_b; wire a_b_2; wire a_b_3; assign a_b_2 = a_b_3 & a_b;\n"


def zero_rows(memory, rows):
    return "".join(f"    {memory}[{row}] = 8'h00;\n" for row in rows)


def test_rows_of_zero_become_a_loop():
    text = "  reg m;\n  initial begin\n" + zero_rows("m", range(6)) + "  end\n  assign x = y;\n"
    assert loops_for_zero_memories(text) == (
        "  reg m;\n  integer _row_1_;\n  initial for (_row_1_ = 0; _row_1_ < 6; _row_1_ = _row_1_ + 1)\n"
        "    m[_row_1_] = 8'h00;\n  assign x = y;\n"
    )


def test_other_initial_blocks_stay():
    for rows in (
        zero_rows("m", range(3)),
        zero_rows("m", range(1, 7)),
        zero_rows("m", range(3)) + zero_rows("n", range(3)),
        zero_rows("m", range(5)) + "    m[5] = 8'h10;\n",
    ):
        text = "  initial begin\n" + rows + "  end\n"
        assert loops_for_zero_memories(text) == text


def test_only_registers_without_initial_value_get_one_and_only_in_simulation():
    text = "  reg [7:0] a;\n  reg b = 1'h0;\n  reg [3:0] m [7:0];\n  reg c;\n  wire d;\n"
    assert zero_read_registers(text) == (
        "  reg [7:0] a;\n`ifndef SYNTHESIS\n  initial a = 0;\n`endif\n  reg b = 1'h0;\n  reg [3:0] m [7:0];\n"
        "  reg c;\n`ifndef SYNTHESIS\n  initial c = 0;\n`endif\n  wire d;\n"
    )

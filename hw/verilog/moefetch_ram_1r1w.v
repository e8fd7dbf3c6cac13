// SPDX-License-Identifier: Apache-2.0
//
// A table or a queue's memory: one read port and one write port on one clock (1R1W), inferable as block or distributed
// RAM. For an ASIC, replace this module's body by a macro or by flip-flops with the same ports. A read's word is on rdata
// after the next rising edge and stays there until the next read; a read and a write of one row in one cycle give the
// old word. Each of LANES equal parts of a word is written by its own bit of wen. Contents begin with zeros; docs say
// which of them software must load where a memory begins unknown.

module moefetch_ram_1r1w #(
    parameter WIDTH = 32,
    parameter DEPTH = 16,
    parameter ADDR_BITS = 4,
    parameter LANES = 1
) (
    input  wire                 clk,
    input  wire                 ren,
    input  wire [ADDR_BITS-1:0] raddr,
    output reg  [WIDTH-1:0]     rdata,
    input  wire [LANES-1:0]     wen,
    input  wire [ADDR_BITS-1:0] waddr,
    input  wire [WIDTH-1:0]     wdata
);

    localparam PART = WIDTH / LANES;

    reg [WIDTH-1:0] words [0:DEPTH-1];
    integer row;
    integer lane;

    initial
        for (row = 0; row < DEPTH; row = row + 1)
            words[row] = {WIDTH{1'b0}};

`ifndef SYNTHESIS
    initial rdata = {WIDTH{1'b0}};
`endif

    always @(posedge clk) begin
        if (ren)
            rdata <= words[raddr];
        for (lane = 0; lane < LANES; lane = lane + 1)
            if (wen[lane])
                words[waddr][lane*PART +: PART] <= wdata[lane*PART +: PART];
    end

endmodule

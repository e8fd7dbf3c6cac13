// SPDX-License-Identifier: Apache-2.0
//
// One bank of the expert SRAM: single-port (1RW) synchronous memory, inferable as block RAM. For an ASIC, replace
// this module's body by a macro with the same ports. A read's word is on rdata after the next rising edge and stays
// there until the next read; a write leaves rdata as it is. Contents are undefined before they are written.

module moefetch_sram_1rw #(
    parameter WIDTH = 128,
    parameter DEPTH = 8192,
    parameter ADDR_BITS = 13
) (
    input  wire                 clk,
    input  wire                 en,
    input  wire                 we,
    input  wire [ADDR_BITS-1:0] addr,
    input  wire [WIDTH-1:0]     wdata,
    output reg  [WIDTH-1:0]     rdata
);

    reg [WIDTH-1:0] words [0:DEPTH-1];

    always @(posedge clk) begin
        if (en) begin
            if (we)
                words[addr] <= wdata;
            else
                rdata <= words[addr];
        end
    end

endmodule

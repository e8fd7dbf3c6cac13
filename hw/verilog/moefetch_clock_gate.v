// SPDX-License-Identifier: Apache-2.0
//
// Clock gate: `gated` follows `clk` for the cycles in which `enable` was 1 when `clk` rose. The latch is open while the
// clock is low, so a late enable makes no short pulse. For an ASIC, replace this module's body by the library's cell.

module moefetch_clock_gate (
    input  wire clk,
    input  wire enable,
    output wire gated
);

    reg enabled;

    always @(clk or enable)
        if (~clk) enabled <= enable;

    assign gated = clk & enabled;

endmodule

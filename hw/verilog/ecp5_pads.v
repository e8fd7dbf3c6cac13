// SPDX-License-Identifier: Apache-2.0
//
// The ECP5's pads as wires, for simulation of a netlist: Verilator takes no tri-state at the top.
module TRELLIS_IO (inout B, input I, input T, output O);
    parameter DIR = "INPUT";
    generate
        if (DIR == "INPUT") assign O = B;
        else assign B = I;
    endgenerate
endmodule

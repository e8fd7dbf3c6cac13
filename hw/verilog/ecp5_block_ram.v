// SPDX-License-Identifier: Apache-2.0
//
// The ECP5's block RAM DP16KD for simulation of a netlist: yosys has models of every other cell. Written from yosys'
// description of the cell (lattice/brams_16kd.txt, brams_map_16kd.v), for the forms that its mapping makes here: port A
// reads and writes, or writes while port B reads; 9, 18 or 36 bits, no output register. The bits that A writes are
// unknown to a read by B in the same cycle, and no others: a netlist has logic that replaces those alone.
module DP16KD #(
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG",
    parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC",
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000",
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL",
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB", GSR = "AUTO",
    parameter [319:0]
        INITVAL_00 = 320'h0, INITVAL_01 = 320'h0, INITVAL_02 = 320'h0, INITVAL_03 = 320'h0,
        INITVAL_04 = 320'h0, INITVAL_05 = 320'h0, INITVAL_06 = 320'h0, INITVAL_07 = 320'h0,
        INITVAL_08 = 320'h0, INITVAL_09 = 320'h0, INITVAL_0A = 320'h0, INITVAL_0B = 320'h0,
        INITVAL_0C = 320'h0, INITVAL_0D = 320'h0, INITVAL_0E = 320'h0, INITVAL_0F = 320'h0,
        INITVAL_10 = 320'h0, INITVAL_11 = 320'h0, INITVAL_12 = 320'h0, INITVAL_13 = 320'h0,
        INITVAL_14 = 320'h0, INITVAL_15 = 320'h0, INITVAL_16 = 320'h0, INITVAL_17 = 320'h0,
        INITVAL_18 = 320'h0, INITVAL_19 = 320'h0, INITVAL_1A = 320'h0, INITVAL_1B = 320'h0,
        INITVAL_1C = 320'h0, INITVAL_1D = 320'h0, INITVAL_1E = 320'h0, INITVAL_1F = 320'h0,
        INITVAL_20 = 320'h0, INITVAL_21 = 320'h0, INITVAL_22 = 320'h0, INITVAL_23 = 320'h0,
        INITVAL_24 = 320'h0, INITVAL_25 = 320'h0, INITVAL_26 = 320'h0, INITVAL_27 = 320'h0,
        INITVAL_28 = 320'h0, INITVAL_29 = 320'h0, INITVAL_2A = 320'h0, INITVAL_2B = 320'h0,
        INITVAL_2C = 320'h0, INITVAL_2D = 320'h0, INITVAL_2E = 320'h0, INITVAL_2F = 320'h0,
        INITVAL_30 = 320'h0, INITVAL_31 = 320'h0, INITVAL_32 = 320'h0, INITVAL_33 = 320'h0,
        INITVAL_34 = 320'h0, INITVAL_35 = 320'h0, INITVAL_36 = 320'h0, INITVAL_37 = 320'h0,
        INITVAL_38 = 320'h0, INITVAL_39 = 320'h0, INITVAL_3A = 320'h0, INITVAL_3B = 320'h0,
        INITVAL_3C = 320'h0, INITVAL_3D = 320'h0, INITVAL_3E = 320'h0, INITVAL_3F = 320'h0
) (
    input CLKA, CEA, OCEA, WEA, RSTA, CSA2, CSA1, CSA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
    input DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
    output DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
    input CLKB, CEB, OCEB, WEB, RSTB, CSB2, CSB1, CSB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
    input DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
    output DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
    wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [17:0] in_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
        DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
    reg [17:0] out_a = 18'd0;
    reg [17:0] low_b = 18'd0;
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
        DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = DATA_WIDTH_B == 36 ? low_b : out_a;
    wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [17:0] in_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
        DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
    reg [17:0] out_b = 18'd0;
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
        DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = out_b;

    // Rows of 16 words of 18 bits, each word in 20 bits of its INITVAL.
    reg [17:0] words [0:1023];
    wire [320*64-1:0] contents = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
        INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
        INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
        INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
        INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
        INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
        INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
    };
    integer row;

    initial begin
        if (DATA_WIDTH_A != 9 && DATA_WIDTH_A != 18 && DATA_WIDTH_A != 36
            || DATA_WIDTH_B != 9 && DATA_WIDTH_B != 18 && DATA_WIDTH_B != 36
            || REGMODE_A != "NOREG" || REGMODE_B != "NOREG" || CLKAMUX != "CLKA" || CLKBMUX != "CLKB"
            || WRITEMODE_A != "NORMAL" && WRITEMODE_A != "READBEFOREWRITE") begin
            $display("DP16KD: this form has no model");
            $finish(0);
        end
        for (row = 0; row < 1024; row = row + 1)
            words[row] = contents[20*row +: 18];
    end

    wire [9:0] word_a = address_a[13:4];
    wire [9:0] word_b = address_b[13:4];
    wire enabled_a = CEA & ~CSA2 & ~CSA1 & ~CSA0;
    wire enabled_b = CEB & ~CSB2 & ~CSB1 & ~CSB0;
    wire read_a = enabled_a & (~WEA | WRITEMODE_A == "READBEFOREWRITE");
    // From 18 bits on, the lowest address bits enable the parts of 9 bits.
    wire [3:0] lanes = DATA_WIDTH_A == 36 ? address_a[3:0] : DATA_WIDTH_A == 18 ? {2'b00, address_a[1:0]} : 4'b0001;
    wire [3:0] write = {4{enabled_a & WEA}} & lanes;
    // What B reads, of the pair of words that is one of 36 bits: four parts of 9 bits, unknown where A writes them.
    wire paired = word_a[9:1] == word_b[9:1];
    wire [3:0] written = !paired ? 4'b0000 : DATA_WIDTH_A == 36 ? write
        : DATA_WIDTH_A == 18 ? write << {word_a[0], 1'b0} : write << {word_a[0], address_a[3]};
    wire [35:0] pair = {words[{word_b[9:1], 1'b1}], words[{word_b[9:1], 1'b0}]};
    wire [35:0] seen = {
        written[3] ? 9'dx : pair[35:27], written[2] ? 9'dx : pair[26:18],
        written[1] ? 9'dx : pair[17:9], written[0] ? 9'dx : pair[8:0]
    };

    always @(posedge CLKA)
        case (DATA_WIDTH_A)
            9:
                if (write[0]) begin
                    if (address_a[3]) words[word_a][17:9] <= in_a[8:0];
                    else words[word_a][8:0] <= in_a[8:0];
                end
            18: begin
                if (write[0]) words[word_a][8:0] <= in_a[8:0];
                if (write[1]) words[word_a][17:9] <= in_a[17:9];
            end
            default: begin
                if (write[0]) words[{word_a[9:1], 1'b0}][8:0] <= in_a[8:0];
                if (write[1]) words[{word_a[9:1], 1'b0}][17:9] <= in_a[17:9];
                if (write[2]) words[{word_a[9:1], 1'b1}][8:0] <= in_b[8:0];
                if (write[3]) words[{word_a[9:1], 1'b1}][17:9] <= in_b[17:9];
            end
        endcase

    always @(posedge CLKA)
        if (read_a)
            out_a <= DATA_WIDTH_A == 9 && address_a[3] ? {9'd0, words[word_a][17:9]} : words[word_a];

    // The low half of a word of 36 bits that B reads comes out at A, still by B's clock: a ROM has no clock at A.
    always @(posedge CLKB)
        if (enabled_b) begin
            low_b <= seen[17:0];
            if (DATA_WIDTH_B == 36) out_b <= seen[35:18];
            else if (DATA_WIDTH_B == 18) out_b <= word_b[0] ? seen[35:18] : seen[17:0];
            else out_b <= {9'd0, seen[9*{word_b[0], address_b[3]} +: 9]};
        end

    always @(posedge CLKA or posedge CLKB)
        if (WEB !== 1'b0 || RSTA !== 1'b0 || RSTB !== 1'b0) begin
            $display("DP16KD: a write through port B, or a reset: there is no model of it");
            $finish(0);
        end
endmodule

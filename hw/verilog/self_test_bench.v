// SPDX-License-Identifier: Apache-2.0
//
// Around the self-test of an FPGA: a clock, and a serial line that is read into the file said.txt, apart from what a
// simulator has to say itself. Not for synthesis.
// `TOP` is the text of the instance under test: it may use clk and button, and drives tx and running.
// Plus arguments: +press=CHARACTERS presses the button once, after so many characters; +patience=CYCLES ends the
// simulation when the line has been at rest for so long.
module self_test_bench;
    parameter DIVISOR = 1;

    reg clk = 0;
    reg button = 0;
    reg pressed = 0;
    wire tx, running;
    integer press = 0;
    integer patience = 0;
    integer characters = 0;
    integer quiet = 0;
    integer cycle = 0;
    integer place = 0;
    integer said;
    reg [7:0] character;

`TOP

    initial begin
        said = $fopen("said.txt", "w");
        if (!$value$plusargs("press=%d", press)) press = 0;
        if (!$value$plusargs("patience=%d", patience)) patience = 0;
    end

    always #1 clk = ~clk;

    // A bit is read in its middle, the first one DIVISOR + DIVISOR / 2 cycles after the start bit's edge.
    always @(negedge clk) begin
        if (place == 0) begin
            quiet <= quiet + 1;
            if (tx === 1'b0) begin
                place <= 1;
                cycle <= -(DIVISOR / 2);
                quiet <= 0;
            end
        end else if (cycle + 1 < DIVISOR)
            cycle <= cycle + 1;
        else begin
            cycle <= 0;
            place <= place == 9 ? 0 : place + 1;
            if (place < 9)
                character <= {tx, character[7:1]};
            else begin
                $fwrite(said, "%c", character);
                $fflush(said);
                characters <= characters + 1;
            end
        end
        button <= press != 0 && characters >= press && !pressed;
        pressed <= pressed | button;
        if (patience != 0 && quiet > patience) $finish(0);
        if (running === 1'b0 && characters != 0 && quiet > 12 * DIVISOR) $finish(0);
    end
endmodule

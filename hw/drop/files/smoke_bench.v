// SPDX-License-Identifier: Apache-2.0
//
// Smoke bench of moefetch_unit, plain Verilog-2001: plays smoke.hex, in which a golden model has noted what the unit must
// answer. Programs the registers over AXI4-Lite, sends router events, serves the AXI4 read master from a memory whose words
// are a function of their address, checks each grant, and reads every word of every granted expert. Prints one line that
// begins with PASS or FAIL. Plus arguments: +vectors=FILE (smoke.hex), +dump=FILE (waveforms).
`timescale 1ns/1ps
module smoke_bench;
    localparam BUS_BYTES = @BUS_BYTES@;
    localparam N_PE = @N_PE@;
    localparam EXPERT_BEATS = @EXPERT_BEATS@;
    localparam REST_CYCLES = @REST_CYCLES@;
    localparam LATENCY = 20;
    localparam PATIENCE = 100000;
    localparam BUS = 8 * BUS_BYTES;

    localparam [7:0] END = 0, WRITE = 1, READ = 2, ROUTE = 3, GRANT = 4, REST = 5, RELEASE = 6, FAULT = 7;

@SIGNALS@
    reg [N_PE-1:0] read_valid;
    wire [N_PE-1:0] read_ready;
    wire [N_PE*BUS-1:0] read_data;
    reg [@SLOT_BITS@-1:0] read_slot;
    reg [@BEAT_BITS@-1:0] read_beat;

    moefetch_unit dut (
@CONNECTIONS@
    );

    initial clk = 0;
    always #5 clk = ~clk;

    // The memory: answers bursts in order, LATENCY cycles after each has come to its turn.

    reg [63:0] burst_address [0:63];
    reg [7:0] burst_length [0:63];
    reg burst_id [0:63];
    reg [5:0] first_burst, next_burst;
    reg [7:0] beat, delay;
    reg [63:0] fault_first, fault_length;
    integer lane;

    function [31:0] pattern(input [63:0] address);
        reg [31:0] high;
        begin
            high = {7'd0, address[63:39]};
            pattern = (address[38:7] ^ {high[15:0], high[31:16]}) * 32'hC2B2AE35 + 32'h9E3779B9
                    + {27'd0, address[6:2]} * 32'h85EBCA6B;
        end
    endfunction

    wire [63:0] beat_address = burst_address[first_burst] + beat * BUS_BYTES;

    always @(posedge clk)
        if (rst) begin
            first_burst <= 0;
            next_burst <= 0;
            beat <= 0;
            delay <= 0;
            m_axi_rvalid <= 0;
        end else begin
            if (m_axi_arvalid & m_axi_arready) begin
                burst_address[next_burst] <= m_axi_araddr;
                burst_length[next_burst] <= m_axi_arlen;
                burst_id[next_burst] <= m_axi_arid;
                next_burst <= next_burst + 1;
            end
            if (~m_axi_rvalid | m_axi_rready) begin
                m_axi_rvalid <= 0;
                if (first_burst != next_burst) begin
                    if (delay != LATENCY)
                        delay <= delay + 1;
                    else begin
                        m_axi_rvalid <= 1;
                        m_axi_rid <= burst_id[first_burst];
                        m_axi_rlast <= beat == burst_length[first_burst];
                        m_axi_rresp <= (beat_address - fault_first < fault_length) ? 2'd2 : 2'd0;
                        for (lane = 0; lane < BUS_BYTES / 4; lane = lane + 1)
                            m_axi_rdata[32*lane +: 32] <= pattern(beat_address + 4 * lane);
                        beat <= beat + 1;
                        if (beat == burst_length[first_burst]) begin
                            beat <= 0;
                            delay <= 0;
                            first_burst <= first_burst + 1;
                        end
                    end
                end
            end
        end

    // Cycles in which nothing has moved on any port.

    integer quiet;

    always @(posedge clk)
        if (rst | m_axi_arvalid | m_axi_rvalid | route_valid | release_valid | grant_valid) quiet <= 0;
        else quiet <= quiet + 1;

    // The program. Inputs change on the falling edge; a handshake is looked at on the rising one.

    reg [103:0] instructions [0:@LAST@];
    reg [103:0] instruction;
    reg [63:0] a;
    reg [31:0] b, found, sum;
    reg [63:0] granted;
    reg [1023:0] path;
    reg took, took_too;
    reg [1:0] response;
    integer pc, n_grants, n_words, n_reads, waited, pe, index;

    task fail(input [511:0] what, input [63:0] expected, input [63:0] got);
        begin
            $display("FAIL: instruction %0d at %0t: %0s: expected %h, found %h", pc, $time, what, expected, got);
            $fatal(1);
        end
    endtask

    task tick;
        begin
            @(negedge clk);
            waited = waited + 1;
            if (waited == PATIENCE) fail("the unit hangs", 0, 0);
        end
    endtask

    task write_register(input [11:0] address, input [31:0] data);
        begin
            s_axil_awaddr = address;
            s_axil_wdata = data;
            s_axil_wstrb = 4'hF;
            s_axil_awvalid = 1;
            s_axil_wvalid = 1;
            while (s_axil_awvalid | s_axil_wvalid) begin
                @(posedge clk);
                took = s_axil_awready;
                took_too = s_axil_wready;
                tick;
                if (took) s_axil_awvalid = 0;
                if (took_too) s_axil_wvalid = 0;
            end
            s_axil_bready = 1;
            took = 0;
            while (~took) begin
                @(posedge clk);
                took = s_axil_bvalid;
                response = s_axil_bresp;
                tick;
            end
            s_axil_bready = 0;
            if (response != 0) fail("BRESP", 0, response);
        end
    endtask

    task read_register(input [11:0] address);
        begin
            s_axil_araddr = address;
            s_axil_arvalid = 1;
            took = 0;
            while (~took) begin
                @(posedge clk);
                took = s_axil_arready;
                tick;
            end
            s_axil_arvalid = 0;
            s_axil_rready = 1;
            took = 0;
            while (~took) begin
                @(posedge clk);
                took = s_axil_rvalid;
                found = s_axil_rdata;
                response = s_axil_rresp;
                tick;
            end
            s_axil_rready = 0;
            if (response != 0) fail("RRESP", 0, response);
            n_reads = n_reads + 1;
        end
    endtask

    task send_beat;
        begin
            route_layer = a[15:0];
            route_expert = a[31:16];
            route_score = a[39:32];
            route_token_last = a[40];
            route_last = a[41];
            route_sequence_start = a[42];
            route_valid = 1;
            took = 0;
            while (~took) begin
                @(posedge clk);
                took = route_ready;
                tick;
            end
            route_valid = 0;
        end
    endtask

    task give_back;
        begin
            release_layer = a[15:0];
            release_expert = a[31:16];
            release_slot = a[47:32];
            release_status = a[49:48];
            release_valid = 1;
            took = 0;
            while (~took) begin
                @(posedge clk);
                took = release_ready;
                tick;
            end
            release_valid = 0;
        end
    endtask

    task take_grant;
        begin
            grant_ready = 1;
            took = 0;
            while (~took) begin
                @(posedge clk);
                took = grant_valid;
                granted = 0;
                granted[15:0] = grant_layer;
                granted[31:16] = grant_expert;
                granted[47:32] = grant_slot;
                granted[49:48] = grant_status;
                tick;
            end
            grant_ready = 0;
            if (granted != a) fail("grant (status, slot, expert, layer)", a, granted);
            n_grants = n_grants + 1;
            if (granted[49:48] != 3) read_expert;
        end
    endtask

    // One word a cycle, each expert through another processing element's port.
    task read_expert;
        begin
            pe = n_grants % N_PE;
            sum = 0;
            read_slot = granted[47:32];
            read_beat = 0;
            read_valid[pe] = 1;
            for (index = 0; index < EXPERT_BEATS; index = index + took) begin
                @(posedge clk);
                took = read_ready[pe];
                tick;
                if (took) begin
                    for (lane = 0; lane < BUS_BYTES / 4; lane = lane + 1)
                        sum = {sum[30:0], sum[31]} ^ read_data[pe*BUS + 32*lane +: 32];
                    read_beat = read_beat + 1;
                    n_words = n_words + 1;
                end
            end
            read_valid[pe] = 0;
            if (sum != b) fail("sum of the expert's words", b, sum);
        end
    endtask

    initial begin
        if ($value$plusargs("dump=%s", path)) begin
            $dumpfile(path);
            $dumpvars(0, smoke_bench);
        end
        if (!$value$plusargs("vectors=%s", path)) path = "smoke.hex";
        $readmemh(path, instructions);
@RESETS@
        read_valid = 0;
        read_slot = 0;
        read_beat = 0;
        fault_first = 0;
        fault_length = 0;
        m_axi_arready = 1;
        n_grants = 0;
        n_words = 0;
        n_reads = 0;
        waited = 0;
        rst = 1;
        repeat (4) tick;
        rst = 0;
        tick;
        pc = 0;
        instruction = instructions[0];
        while (instruction[103:96] !== END) begin
            {a, b} = instruction[95:0];
            waited = 0;
            case (instruction[103:96])
                WRITE: write_register(a[11:0], b);
                READ: begin
                    read_register(a[11:0]);
                    if (found !== b) fail("register", b, found);
                end
                ROUTE: send_beat;
                GRANT: take_grant;
                REST: begin
                    while (quiet < REST_CYCLES) begin
                        tick;
                        if (grant_valid) fail("a grant too many", 0, grant_expert);
                    end
                end
                RELEASE: give_back;
                FAULT: begin
                    fault_first = a;
                    fault_length = {32'd0, b};
                end
                default: fail("vectors", 0, instruction[103:96]);
            endcase
            pc = pc + 1;
            instruction = instructions[pc];
        end
        if (irq !== 1) fail("irq", 1, irq);
        $display("PASS: %0d grants, %0d words, %0d registers read", n_grants, n_words, n_reads);
        $finish;
    end
endmodule

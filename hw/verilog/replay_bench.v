// SPDX-License-Identifier: Apache-2.0
//
// Around the replay harness: the trace memory, loaded from a file, the tables that a unit has in memory, zeros at first,
// and the log, written to a file.
// Not for synthesis. Plus arguments: +trace=FILE (hex words), +log=FILE.
//
// Log lines: "C cycle record" for a commit, "G cycle grant" for a grant taken; hex. Cycles count from `start`.
module replay_bench #(
    parameter RECORD_BITS = 112,
    parameter GRANT_BITS = 32,
    parameter BEATS_BITS = 16,
    parameter BUS_BITS = 32,
    parameter TABLE_INDEX_BITS = 1
) (
    input clk,
    input rst,
    input s_axil_awvalid, output s_axil_awready, input [11:0] s_axil_awaddr, input [2:0] s_axil_awprot,
    input s_axil_wvalid, output s_axil_wready, input [31:0] s_axil_wdata, input [3:0] s_axil_wstrb,
    output s_axil_bvalid, input s_axil_bready, output [1:0] s_axil_bresp,
    input s_axil_arvalid, output s_axil_arready, input [11:0] s_axil_araddr, input [2:0] s_axil_arprot,
    output s_axil_rvalid, input s_axil_rready, output [31:0] s_axil_rdata, output [1:0] s_axil_rresp,
    output irq,
    input start,
    input flush,
    input [31:0] n_events,
    input [31:0] attention_cycles,
    input [31:0] step_cycles,
    input [31:0] expert_cycles,
    input [BEATS_BITS-1:0] expert_beats,
    input [63:0] base,
    input [47:0] layer_stride,
    input [31:0] expert_stride,
    input [15:0] latency,
    input [15:0] cycles_per_beat,
    input [31:0] background_period,
    input [31:0] background_length,
    output done,
    output [31:0] events,
    output [31:0] granted,
    output [31:0] errors,
    output [47:0] words,
    output [31:0] wrong_words,
    output reg [63:0] cycles
);
    wire record_valid, grant_taken;
    wire [RECORD_BITS-1:0] record;
    wire [GRANT_BITS-1:0] grant_payload;
    wire [21:0] trace_address;
    reg [31:0] trace_data;
    reg [31:0] trace [0:(1 << 22) - 1];
    reg [BUS_BITS-1:0] tables [0:(1 << TABLE_INDEX_BITS) - 1];
    wire [TABLE_INDEX_BITS-1:0] table_read_index, table_write_index;
    wire [BUS_BITS-1:0] table_write_word;
    wire table_write;
    integer table_word;
    reg [8*1024-1:0] path;
    reg [63:0] now;
    reg held_rst, held_start;
    reg [31:0] held_n_events;
    reg [31:0] held_attention_cycles;
    reg [31:0] held_step_cycles;
    reg [31:0] held_expert_cycles;
    reg [BEATS_BITS-1:0] held_expert_beats;
    reg [63:0] held_base;
    reg [47:0] held_layer_stride;
    reg [31:0] held_expert_stride;
    reg [15:0] held_latency;
    reg [15:0] held_cycles_per_beat;
    reg [31:0] held_background_period;
    reg [31:0] held_background_length;
    integer log;

    initial begin
        log = 0;
        for (table_word = 0; table_word < 1 << TABLE_INDEX_BITS; table_word = table_word + 1) tables[table_word] = 0;
        if ($value$plusargs("trace=%s", path)) $readmemh(path, trace);
        if ($value$plusargs("log=%s", path)) log = $fopen(path, "w");
    end

    // Inputs of the harness change with the clock only: Verilator evaluates what hangs on an input of the top twice a
    // cycle. The settings must stand before `start`.
    always @(posedge clk) begin
        held_rst <= rst;
        held_start <= start;
        if (~start) begin
            held_n_events <= n_events;
            held_attention_cycles <= attention_cycles;
            held_step_cycles <= step_cycles;
            held_expert_cycles <= expert_cycles;
            held_expert_beats <= expert_beats;
            held_base <= base;
            held_layer_stride <= layer_stride;
            held_expert_stride <= expert_stride;
            held_latency <= latency;
            held_cycles_per_beat <= cycles_per_beat;
            held_background_period <= background_period;
            held_background_length <= background_length;
        end
    end

    always @(posedge clk) begin
        trace_data <= trace[trace_address];
        if (table_write) tables[table_write_index] <= table_write_word;
        if (held_rst | ~held_start) begin
            now <= 0;
            cycles <= 0;
        end else begin
            now <= now + 1;
            if (~done) cycles <= cycles + 1;
        end
        if (log != 0) begin
            if (record_valid) $fwrite(log, "C %0d %h\n", now, record);
            if (grant_taken) $fwrite(log, "G %0d %h\n", now, grant_payload);
            if (flush) $fflush(log);
        end
    end

    replay_harness harness (
        .clk(clk), .rst(held_rst),
        .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready), .s_axil_awaddr(s_axil_awaddr),
        .s_axil_awprot(s_axil_awprot), .s_axil_wvalid(s_axil_wvalid), .s_axil_wready(s_axil_wready),
        .s_axil_wdata(s_axil_wdata), .s_axil_wstrb(s_axil_wstrb), .s_axil_bvalid(s_axil_bvalid),
        .s_axil_bready(s_axil_bready), .s_axil_bresp(s_axil_bresp), .s_axil_arvalid(s_axil_arvalid),
        .s_axil_arready(s_axil_arready), .s_axil_araddr(s_axil_araddr), .s_axil_arprot(s_axil_arprot),
        .s_axil_rvalid(s_axil_rvalid), .s_axil_rready(s_axil_rready), .s_axil_rdata(s_axil_rdata),
        .s_axil_rresp(s_axil_rresp), .irq(irq),
        .trace_address(trace_address), .trace_data(trace_data),
        .tables_read_index(table_read_index), .tables_read_word(tables[table_read_index]),
        .tables_write(table_write), .tables_write_index(table_write_index), .tables_write_word(table_write_word),
        .record_valid(record_valid), .record(record), .grant_taken(grant_taken), .grant_payload(grant_payload),
        .start(held_start), .n_events(held_n_events), .attention_cycles(held_attention_cycles),
        .step_cycles(held_step_cycles),
        .expert_cycles(held_expert_cycles), .expert_beats(held_expert_beats), .base(held_base),
        .layer_stride(held_layer_stride),
        .expert_stride(held_expert_stride), .latency(held_latency), .cycles_per_beat(held_cycles_per_beat),
        .background_period(held_background_period), .background_length(held_background_length),
        .done(done), .events(events), .granted(granted), .errors(errors), .words(words), .wrong_words(wrong_words)
    );
endmodule

// SPDX-License-Identifier: Apache-2.0
//
// A replay without Python in its process: drives Verilator's model of replay_bench.v as a script says.
// The script, line by line (numbers decimal):
//   set PORT VALUE      give an input of the bench its value
//   write OFFSET WORD   write a register over AXI4-Lite; any answer but OKAY ends the run
//   run CYCLES          raise `start`, clock until `done`; every CYCLES flush the log and print "at CYCLE"
//   idle OFFSET BIT CYCLES   read a register until the bit is set, for CYCLES at most
//   read OFFSET         print "read OFFSET WORD"
//   port NAME           print "port NAME VALUE"
// Standard output is the answer; the last line is "end". Status 1 with a line on standard error if something broke.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "Vtop.h"
#include "verilated.h"

// What `Vtop::eval` calls. Around it, `eval` empties queues that other threads fill, under two locks, twice a cycle.
void Vtop___024root___eval(Vtop___024root* root);

namespace {

constexpr int RESET_CYCLES = 4;
constexpr int ANSWER_CYCLES = 10000;

struct Bench {
    VerilatedContext context;
    std::unique_ptr<Vtop> top;

    Bench(int argc, char** argv) {
        context.commandArgs(argc, argv);
        top = std::make_unique<Vtop>(&context);
        top->eval();  // runs the initial blocks
        top->rst = 1;
        top->start = 0;
        top->flush = 0;
        clock(RESET_CYCLES);
        top->rst = 0;
        clock(RESET_CYCLES);  // the bench registers its reset
    }

    // Inputs change while the clock is low; outputs are read after its rise.
    void clock() {
        edge(0);
        edge(1);
    }

    void edge(CData level) {
        top->clk = level;
        Vtop___024root___eval(top->rootp);
    }

    void clock(uint64_t cycles) {
        for (; cycles; --cycles) clock();
    }

    void fail(const std::string& what) {
        std::cerr << what << std::endl;
        std::exit(1);
    }

    // A handshake happens at a rise where both sides were high before it, so `ready` is looked at before the rise.
    template <typename Ready>
    void handshake(CData& valid, Ready ready, const char* channel) {
        valid = 1;
        for (int cycle = 0; cycle < ANSWER_CYCLES; ++cycle) {
            edge(0);
            const bool taken = ready();
            edge(1);
            if (taken) {
                valid = 0;
                return;
            }
        }
        fail(std::string("register bus: no answer on ") + channel);
    }

    template <typename Valid>
    void answer(CData& ready, Valid valid, const std::function<void()>& take, const char* channel) {
        ready = 1;
        for (int cycle = 0; cycle < ANSWER_CYCLES; ++cycle) {
            edge(0);
            const bool given = valid();
            if (given) take();
            edge(1);
            if (given) {
                ready = 0;
                return;
            }
        }
        fail(std::string("register bus: no answer on ") + channel);
    }

    void write(uint32_t offset, uint32_t word) {
        uint32_t response = 0;
        top->s_axil_awaddr = offset;
        top->s_axil_wdata = word;
        top->s_axil_wstrb = 0xF;
        handshake(top->s_axil_awvalid, [&] { return top->s_axil_awready; }, "aw");
        handshake(top->s_axil_wvalid, [&] { return top->s_axil_wready; }, "w");
        answer(top->s_axil_bready, [&] { return top->s_axil_bvalid; }, [&] { response = top->s_axil_bresp; }, "b");
        if (response) fail("register write to offset " + std::to_string(offset) + " was refused");
    }

    uint32_t read(uint32_t offset) {
        uint32_t response = 0, word = 0;
        top->s_axil_araddr = offset;
        handshake(top->s_axil_arvalid, [&] { return top->s_axil_arready; }, "ar");
        answer(
            top->s_axil_rready, [&] { return top->s_axil_rvalid; },
            [&] { response = top->s_axil_rresp, word = top->s_axil_rdata; }, "r");
        if (response) fail("register read at offset " + std::to_string(offset) + " was refused");
        return word;
    }

    void flush() {
        top->flush = 1;
        clock();
        top->flush = 0;
        clock();
    }

    void run(uint64_t stretch) {
        top->start = 1;
        uint64_t now = 0;
        for (;;) {
            for (uint64_t cycle = 0; cycle < stretch && !top->done; ++cycle) clock();
            flush();
            now += stretch;
            std::cout << "at " << now << std::endl;
            if (top->done) return;
        }
    }

    void idle(uint32_t offset, uint32_t bit, uint64_t patience) {
        for (uint64_t waited = 0; waited < patience && !(read(offset) >> bit & 1); waited += 200) clock(200);
    }

    void set(const std::string& port, uint64_t value) {
#define INPUT(name) {#name, [this](uint64_t bits) { top->name = bits; }}
        static const std::map<std::string, std::function<void(uint64_t)>> inputs{
            INPUT(n_events), INPUT(attention_cycles), INPUT(step_cycles), INPUT(expert_cycles), INPUT(expert_beats),
            INPUT(base), INPUT(layer_stride), INPUT(expert_stride), INPUT(latency), INPUT(cycles_per_beat),
            INPUT(background_period), INPUT(background_length)};
#undef INPUT
        const auto found = inputs.find(port);
        if (found == inputs.end()) fail("script: no input " + port);
        found->second(value);
    }

    uint64_t port(const std::string& name) {
#define OUTPUT(name) {#name, [this] { return static_cast<uint64_t>(top->name); }}
        static const std::map<std::string, std::function<uint64_t()>> outputs{
            OUTPUT(cycles), OUTPUT(words), OUTPUT(wrong_words), OUTPUT(granted), OUTPUT(errors)};
#undef OUTPUT
        const auto found = outputs.find(name);
        if (found == outputs.end()) fail("script: no output " + name);
        return found->second();
    }

    void obey(std::istringstream line) {
        std::string word, name;
        uint64_t first = 0, second = 0, third = 0;
        line >> word;
        if (word == "set" && line >> name >> first) set(name, first);
        else if (word == "write" && line >> first >> second) write(first, second);
        else if (word == "run" && line >> first) run(first);
        else if (word == "idle" && line >> first >> second >> third) idle(first, second, third);
        else if (word == "read" && line >> first) std::cout << "read " << first << ' ' << read(first) << '\n';
        else if (word == "port" && line >> name) std::cout << "port " << name << ' ' << port(name) << '\n';
        else if (word == "flush") flush();
        else fail("script: cannot read: " + line.str());
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return std::cerr << "usage: replay SCRIPT +trace=FILE +log=FILE" << std::endl, 1;
    std::ifstream script(argv[1]);
    if (!script) return std::cerr << argv[1] << ": cannot be read" << std::endl, 1;
    Bench bench(argc, argv);
    for (std::string line; std::getline(script, line);) bench.obey(std::istringstream(line));
    bench.top->final();
    std::cout << "end" << std::endl;
    return 0;
}

"""Does each instruction do what it says, on a register bus that waits and refuses?"""

import random

import pytest
from amaranth.sim import Simulator
from moefetch.hw.axi_lite import OKAY, SLVERR
from moefetch.hw.fpga.program import RESULTS, Operation, instruction
from moefetch.hw.fpga.sequencer import HARNESS_RESULTS, Sequencer

REFUSED = 0x800
"""From this address on, accesses are refused."""


class Board:
    """A sequencer with its program, registers that are a dictionary, a replay that takes `done_after` cycles."""

    def __init__(self, program, *, registers=None, done_after=20, results=None, seed=1):
        self.program = [*program, instruction(Operation.HALT)]
        self.registers = dict(registers or {})
        self.done_after, self.rng = done_after, random.Random(seed)
        self.dut = Sequencer()
        self.results = dict(results or {})
        self.text, self.writes, self.failed, self.cycles = "", [], None, 0

    def run(self, limit=5000):
        sim = Simulator(self.dut)
        sim.add_clock(1e-6)
        for part in (self.memory, self.slave, self.replay, self.printer):
            sim.add_testbench(part, background=True)

        async def watch(ctx):
            for self.cycles in range(limit):
                _, _, halted, failed = await ctx.tick().sample(self.dut.halted, self.dut.failed)
                if halted:
                    self.failed = failed
                    return
            raise AssertionError("the program does not end")

        sim.add_testbench(watch)
        sim.run()
        return self

    async def memory(self, ctx):
        for name, value in self.results.items():
            ctx.set(getattr(self.dut, name), value)
        while True:
            _, _, address = await ctx.tick().sample(self.dut.address)
            ctx.set(self.dut.instruction, self.program[address] if address < len(self.program) else 0)

    async def replay(self, ctx):
        cycles = 0
        while True:
            _, _, start = await ctx.tick().sample(self.dut.start)
            cycles += start
            ctx.set(self.dut.done, self.done_after is not None and cycles >= self.done_after)

    async def printer(self, ctx):
        while True:
            ready = self.rng.random() < 0.6
            ctx.set(self.dut.text.ready, ready)
            _, _, valid, character = await ctx.tick().sample(self.dut.text.valid, self.dut.text.payload)
            if valid and ready:
                self.text += chr(character)

    async def slave(self, ctx):
        bus = self.dut.bus
        for name in ("awready", "wready", "arready"):
            ctx.set(getattr(bus, name), 1)
        while True:
            _, _, write, address, word, read, wanted = await ctx.tick().sample(
                bus.awvalid, bus.awaddr, bus.wdata, bus.arvalid, bus.araddr
            )
            for valid, place, answer in ((write, address, "b"), (read, wanted, "r")):
                if valid:
                    for _ in range(self.rng.randint(1, 3)):
                        await ctx.tick()
                    ctx.set(getattr(bus, f"{answer}resp"), SLVERR if place >= REFUSED else OKAY)
                    held = self.registers.get(place, 0)
                    if isinstance(held, list):  # one value for each read, the last for ever
                        held = held.pop(0) if len(held) > 1 else held[0]
                    ctx.set(bus.rdata, held)
                    ctx.set(getattr(bus, f"{answer}valid"), 1)
                    await ctx.tick()
                    ctx.set(getattr(bus, f"{answer}valid"), 0)
                    if valid and answer == "b":
                        self.writes.append((place, word))


def show(name=None):
    """Return what prints the value, or a result first, with a space behind it."""
    read = [instruction(Operation.RESULT, RESULTS.index(name))] if name else []
    return [*read, instruction(Operation.PRINT), instruction(Operation.TEXT, 1, ord(" "))]


def test_text_and_writes_come_in_order():
    program = [
        instruction(Operation.TEXT, 4, int.from_bytes(b"abcd", "little")),
        instruction(Operation.WRITE, 0x40, 0xDEADBEEF),
        instruction(Operation.TEXT, 2, int.from_bytes(b"ef", "little")),
        instruction(Operation.WRITE, 0x44, 1),
    ]
    board = Board(program).run()
    assert board.text == "abcdef" and board.writes == [(0x40, 0xDEADBEEF), (0x44, 1)] and not board.failed


def test_a_value_is_two_words():
    board = Board([instruction(Operation.READ, 0x100), *show()], registers={0x100: 0x89ABCDEF, 0x104: 0x4567}).run()
    assert board.text == f"{0x456789ABCDEF} "


def test_a_poll_reads_until_a_bit_is_set():
    program = [instruction(Operation.RUN, data=1000), instruction(Operation.POLL, 0x10, 0b100), *show("timeouts")]
    board = Board(program, registers={0x10: [0, 0b011, 0b1000, 0b110, 0]}).run()
    assert board.text == "0 " and board.registers[0x10] == [0]


@pytest.mark.parametrize(("done_after", "polled", "timeouts"), [(20, 1, 0), (None, 1, 1), (20, 0, 1), (None, 0, 2)])
def test_waits_end_at_the_limit(done_after, polled, timeouts):
    program = [instruction(Operation.RUN, data=200), instruction(Operation.POLL, 0x10, 1), *show("timeouts")]
    board = Board(program, registers={0x10: polled}, done_after=done_after).run(limit=1000)
    assert board.text == f"{timeouts} "
    assert board.cycles >= 200 * timeouts


def test_refused_accesses_are_counted():
    program = [
        instruction(Operation.WRITE, REFUSED, 1), instruction(Operation.WRITE, 0x40, 1),
        instruction(Operation.READ, REFUSED + 8), *show("register_errors"),
    ]  # fmt: skip
    assert Board(program).run().text == "3 "


def test_results_are_read_by_number():
    results = {name: 1000 + place for place, name in enumerate(HARNESS_RESULTS)}
    board = Board([word for name in HARNESS_RESULTS for word in show(name)], results=results).run()
    assert board.text == "".join(f"{value} " for value in results.values())


def test_cycles_around_the_replay_are_taken_off():
    program = [
        instruction(Operation.READ, 0x100), instruction(Operation.MARK), instruction(Operation.LESS), *show(),
        instruction(Operation.READ, 0x108), instruction(Operation.LESS), *show(),
    ]  # fmt: skip
    board = Board(program, registers={0x100: 500, 0x108: 130}, results={"replay_cycles": 400}).run()
    assert board.text == "400 30 "


@pytest.mark.parametrize(("value", "text", "failed"), [(7, "P", 0), (8, "7 FP", 1)])
def test_a_check_skips_if_equal_and_a_verdict_unless_failed(value, text, failed):
    program = [
        instruction(Operation.READ, 0x100), instruction(Operation.CHECK, 2, 7), *show(),
        instruction(Operation.VERDICT, 1), instruction(Operation.TEXT, 1, ord("F")),
        instruction(Operation.TEXT, 1, ord("P")),
    ]  # fmt: skip
    board = Board(program, registers={0x100: value}).run()
    assert (board.text, board.failed) == (text, failed)


def test_a_value_of_more_than_a_word_is_not_the_word():
    program = [instruction(Operation.READ, 0x100), instruction(Operation.CHECK, 0, 7)]
    assert Board(program, registers={0x100: 7, 0x104: 1}).run().failed

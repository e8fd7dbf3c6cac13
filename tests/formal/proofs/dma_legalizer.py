"""The legalizer cuts a descriptor into bursts that AXI4 allows, and asks for each beat once."""

from amaranth.hdl import Mux, Signal
from moefetch.hw.config import bits_for
from moefetch.hw.dma_burst import LINE_BYTES
from moefetch.hw.dma_legalizer import BurstLegalizer

from ..engine import Proof
from ..harness import Harness, assume, check, implies, past, small
from ..seeding import Seed

CONFIG = small(bus_bytes=64, slot_bytes=64 * 12, slots=2)
MODULE = "hw.dma_legalizer"


class LegalizerHarness(Harness):
    """A ledger beside the legalizer: words asked for so far, out of which descriptor.

    Assumed: `load` comes while nothing is active, `take` with `valid`, a descriptor fits a slot.
    """

    def __init__(self):
        super().__init__(BurstLegalizer(config=CONFIG))

    def properties(self, m, probe):
        dut, burst, load = self.dut, self.dut.burst, self.dut.descriptor
        assume(m, implies(dut.load, ~dut.active), implies(dut.take, dut.valid), load.beats <= CONFIG.slot_beats)
        self.asked = asked = Signal(bits_for(CONFIG.slot_beats + 1))
        self.beats, self.word = Signal.like(dut.beats_total), Signal.like(burst.word)
        slot, transfer = Signal.like(burst.slot), Signal.like(burst.transfer)
        with m.If(dut.load):
            word_bytes_log2 = 64 - len(self.word)
            m.d.sync += [
                asked.eq(0), self.beats.eq(load.beats), self.word.eq(load.address[word_bytes_log2:]),
                slot.eq(load.slot), transfer.eq(dut.transfer),
            ]  # fmt: skip
        with m.Elif(dut.take):
            m.d.sync += asked.eq(asked + burst.length + 1)
        self.same = (burst.slot == slot) & (burst.transfer == transfer)
        line_words = LINE_BYTES // CONFIG.bus_bytes
        end = asked + burst.length + 1
        check(m, dut.beats_left == Mux(dut.active, self.beats - asked, 0), implies(dut.active, self.same))
        check(m, dut.most_left == ((dut.beats_left << 1) > self.beats))
        limit_before = past(m, dut.limit, "limit_before")
        with m.If(dut.valid):
            check(
                m,
                burst.word[: (line_words - 1).bit_length()] + burst.length < line_words,
                burst.length <= limit_before,
                burst.word == (self.word + asked)[: len(self.word)],
                burst.first == asked,
                end <= self.beats,
                dut.last == (end == self.beats),
            )

    def strengthen(self, m, probe):
        dut = self.dut
        with m.If(dut.active):
            check(m, self.asked < self.beats, self.beats <= CONFIG.slot_beats, dut.burst.first == self.asked)
            check(m, dut.burst.word == (self.word + self.asked)[: len(self.word)], dut.beats_total == self.beats)


PROOFS = [
    Proof(
        name="dma-legalizer",
        claim="DMA: no burst crosses 4 KiB or exceeds the limit; a descriptor's words are asked for once, in order",
        harness=LegalizerHarness,
        depth=2,
        seeds=(
            Seed(
                "line-one-word-long",
                MODULE,
                "to_line.eq(~self.burst.word[: len(to_line)])",
                "to_line.eq(-self.burst.word[: len(to_line)])",
            ),
            Seed("limit-not-kept", MODULE, "Mux(to_line < self.limit, to_line, self.limit)", "to_line"),
            Seed("taken-before-settled", MODULE, "self.valid.eq(self.active & settled)", "self.valid.eq(self.active)"),
            Seed(
                "length-not-plus-one",
                MODULE,
                "rest.eq(rest - self.burst.length - 1)",
                "rest.eq(rest - self.burst.length)",
            ),
            Seed("half-is-most", MODULE, "(left_after << 1) > self", "(left_after << 1) >= self"),
        ),
        quick=True,
    )
]

"""The expert SRAM: a word read is the word last written to that place, whatever else is written and read."""

from amaranth.hdl import Array, Signal
from moefetch.hw.config import bits_for
from moefetch.hw.expert_sram import ExpertSram

from ..engine import Proof
from ..harness import Harness, assume, check, implies, small
from ..seeding import Seed

CONFIG = small(slots=6, banks=3, n_pe=2, bus_bytes=1, slot_bytes=2)
MODULE = "hw.expert_sram"


class SramHarness(Harness):
    """One place, any one, is followed: what was written there last, and what a read of it gives.

    Assumed: slots and beats are in range.
    """

    def __init__(self):
        super().__init__(ExpertSram(config=CONFIG))

    def properties(self, m, probe):
        sram = self.dut
        slot = self.constant(m, CONFIG.slot_bits, "slot")
        beat = self.constant(m, bits_for(CONFIG.slot_beats), "beat")
        ports = [sram.write, *sram.read]
        assume(m, slot < CONFIG.slots, *(port.slot < CONFIG.slots for port in ports))
        known, word = Signal(), Signal(len(sram.write.data))
        writes = sram.write.valid & (sram.write.slot == slot) & (sram.write.beat == beat)
        with m.If(writes):
            m.d.sync += [known.eq(1), word.eq(sram.write.data)]
        for index, port in enumerate(sram.read):
            asked = Signal(name=f"asked_{index}")
            m.d.sync += asked.eq(port.valid & port.ready & (port.slot == slot) & (port.beat == beat) & known & ~writes)
            check(m, implies(asked, port.data == word))
            check(m, sram.conflict[index] == (port.valid & ~port.ready))
        self.followed = slot, beat, known, word

    def strengthen(self, m, probe):
        """The place's word is in its bank, or in the write register on its way there."""
        slot, beat, known, word = self.followed
        place, pending = probe.view("s1_write_place", self.dut._place_layout), probe["s1_write"]
        in_bank = Array(s % CONFIG.banks for s in range(CONFIG.slots))[slot]
        address = Array(s // CONFIG.banks * CONFIG.slot_beats for s in range(CONFIG.slots))[slot] + beat
        coming = pending & (place.bank == in_bank) & (place.addr == address)
        check(m, implies(known & coming, probe["s1_write_data"] == word))
        for bank in range(CONFIG.banks):
            held = probe.word(f"bank_{bank}", address, f"word_{bank}")
            check(m, implies(known & ~coming & (in_bank == bank), held == word))


PROOFS = [
    Proof(
        name="expert-sram",
        claim="expert SRAM: a read gives the word last written to its place; other slots' writes leave it alone",
        harness=SramHarness,
        depth=2,
        seeds=(
            Seed(
                "slots-overlap",
                MODULE,
                "base = Array(index * config.slot_beats",
                "base = Array(index * (config.slot_beats - 1)",
            ),
            Seed("reader-over-writer", MODULE, "taken = s1_write & (", "taken = False & ("),
            Seed(
                "bank-not-delayed", MODULE, "m.d.sync += s1_bank.eq(place.bank)", "m.d.comb += s1_bank.eq(place.bank)"
            ),
        ),
        quick=True,
    )
]

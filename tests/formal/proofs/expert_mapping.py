"""The expert mapping unit: an offered grant stays, each comes out once, and no bank is lent twice."""

from amaranth.hdl import Cat, Signal
from amaranth.lib import data
from moefetch.hw.config import bits_for
from moefetch.hw.expert_mapping import ExpertMapping
from moefetch.hw.interfaces import grant_layout
from moefetch.hw.records import GrantStatus

from ..engine import Proof
from ..harness import Harness, assume, check, implies, small, stays
from ..seeding import Seed

CONFIG = small(max_layers=2, max_experts=4, slots=4, banks=2, n_pe=2, mapping_window=3)
MODULE = "hw.expert_mapping"


class MappingHarness(Harness):
    """One grant, any one, is followed through the window, and each slot from its grant to its end.

    Assumed: the followed grant is not put in a second time before it has come out. Reads and releases are free.
    """

    def __init__(self):
        super().__init__(ExpertMapping(config=CONFIG))

    def properties(self, m, probe):
        granted, grant = self.dut.granted, self.dut.grant
        stays(m, grant.valid, grant.ready, grant.payload, "grant")
        enters, leaves = granted.valid & granted.ready, grant.valid & grant.ready
        self.followed = followed = self.constant(m, len(grant.payload.as_value()), "followed")
        self.count, self.inside = count, inside = Signal(bits_for(CONFIG.mapping_window + 1)), Signal()
        m.d.sync += count.eq(count + enters - leaves)
        in_now, out_now = enters & (granted.payload.as_value() == followed), Signal()
        m.d.comb += out_now.eq(leaves & (grant.payload.as_value() == followed))
        m.d.sync += inside.eq((inside | in_now) & ~out_now)
        assume(m, implies(in_now, ~inside))
        check(m, implies(out_now, inside), granted.ready == ((count < CONFIG.mapping_window) | leaves))
        self._follow_slots(m, leaves)

    def _follow_slots(self, m, leaves):
        """A slot is lent from its grant to the last word that is read of it, or to the grant's return."""
        dut, release = self.dut, self.dut.release
        returns = release.valid & release.ready & (release.payload.status != GrantStatus.ERROR)
        self.lent = Signal(CONFIG.slots)
        for slot in range(CONFIG.slots):
            last = [r.valid & r.ready & (r.slot == slot) & (r.beat + 1 == dut.expert_beats) for r in dut.read]
            good = leaves & (dut.grant.payload.status != GrantStatus.ERROR) & (dut.grant.payload.slot == slot)
            with m.If(good):
                m.d.sync += self.lent[slot].eq(1)
            with m.Elif(Cat(last).any() | (returns & (release.payload.slot == slot))):
                m.d.sync += self.lent[slot].eq(0)
        for slot in range(CONFIG.banks, CONFIG.slots):
            check(m, ~(self.lent[slot] & self.lent[slot - CONFIG.banks]))

    def strengthen(self, m, probe):
        """The window has no gap, holds the followed grant once, and banks are taken that are lent."""
        layout = data.StructLayout({"valid": 1, "bank": bits_for(CONFIG.banks), "grant": grant_layout(CONFIG)})
        window = [probe.view(f"entry_{i}", layout) for i in range(CONFIG.mapping_window)]
        is_followed = [entry.valid & (entry.grant.as_value() == self.followed) for entry in window]
        waits, offered = probe["waits"], probe["offered"]
        check(m, self.count == sum(entry.valid for entry in window), self.inside == sum(is_followed))
        for i, entry in enumerate(window):
            check(m, implies(entry.valid, entry.bank == entry.grant.slot[: len(entry.bank)]))
            check(m, implies(waits & (offered == i), entry.valid))
            if i:
                check(m, implies(entry.valid, window[i - 1].valid))
        place = probe.view("place", data.ArrayLayout(CONFIG.slot_bits, CONFIG.banks))
        for slot in range(CONFIG.slots):
            bank = slot % CONFIG.banks
            check(m, self.lent[slot] == (probe["taken"][bank] & (place[bank] == slot)))
        check(m, implies(waits, offered < CONFIG.mapping_window))
        self._offered_bank_is_free(m, window, probe)

    def _offered_bank_is_free(self, m, window, probe):
        """While a grant is offered no other leaves, so its bank stays free."""
        for i, entry in enumerate(window):
            error, busy = entry.grant.status == GrantStatus.ERROR, probe["taken"].bit_select(entry.bank, 1)
            check(m, implies(probe["waits"] & (probe["offered"] == i), error | ~busy))


PROOFS = [
    Proof(
        name="expert-mapping",
        claim="expert mapping: an offered grant stays, each comes out once; no bank is lent to two grants",
        harness=MappingHarness,
        depth=2,
        seeds=(
            Seed("offer-changes", MODULE, "chosen.eq(Mux(waits, offered, first))", "chosen.eq(first)"),
            Seed(
                "bank-not-taken",
                MODULE,
                "taken.bit_select(bank, 1).eq(1), place",
                "taken.bit_select(bank, 1).eq(0), place",
            ),
            Seed("gap-not-closed", MODULE, "stays = ~do_grant | (i < chosen)", "stays = ~do_grant | (i <= chosen)"),
        ),
        quick=True,
    )
]

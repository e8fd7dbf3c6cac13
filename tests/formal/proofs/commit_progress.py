"""The commit port lets no demand wait for nothing."""

from amaranth.hdl import Cat
from moefetch.hw.residency import SlotState
from moefetch.hw.victim_search import VictimClass

from ..engine import Proof
from ..harness import check, implies
from ..seeding import Seed
from .commit_port import EVENT, SEARCH, TRANSFER, CommitHarness


class ProgressHarness(CommitHarness):
    """No demand waits for nothing.

    A blocked miss searches again after a fill, a drain, a release, a free or a pin. Claimed is that one of them must
    come: a transfer is under way, or a grant is out, or software has pinned every slot. And a search always ends.
    """

    def properties(self, m, probe):
        super().properties(m, probe)
        n_slots = self.commit.settings.n_slots
        comes = Cat(f.pinned & ~f.released for f in self.flags).any() | self.moving.any()
        stuck = Cat(f.sticky | (slot >= n_slots) for slot, f in enumerate(self.flags)).all()
        errors_out = probe["commit._errors_out"]
        check(m, implies(self.commit.blocked & (self.n_missed != 0), comes | (errors_out != 0) | stuck))
        owed = probe["commit._unreleased"] != 0
        check(
            m,
            implies(owed & ~probe.state("commit.fsm", "CLASSIFY_KEY", "CLASSIFY"), comes | errors_out | self.n_missed),
        )

    def strengthen(self, m, probe):
        """A slot that the search may take is still to be looked at, on its way, or found."""
        super().strengthen(m, probe)
        search, n_slots = self.top.search.search, self.commit.settings.n_slots
        running, row, last_row = (probe[f"search.{name}"] for name in ("running", "row", "last_row"))
        s1, s2 = probe["search.$0"], probe["search.$2"]
        found = search.found != VictimClass.NONE
        rests = self._in("IDLE", "FILL", "RELEASE", "CANDIDATE_KEY", "CANDIDATE", "SWEEP", "FLUSH")
        check(m, implies(self.commit.blocked, (self.n_missed != 0) & rests))
        searching = self._in("SEARCH")
        s1_last, s2_last = probe["search.$1"], probe["search.s2_last"]
        ends = running | (s1 & s1_last) | (s2 & s2_last) | search.done
        check(m, implies(running, row <= last_row), implies(searching, ends))
        check(m, implies(running & (row == 0), ~s1 & ~s2))
        for slot, flags in enumerate(self.flags):
            resident = (flags.state == SlotState.RESIDENT) & ~flags.sticky & (~flags.pinned | flags.released)
            takable = resident | (flags.state == SlotState.FREE) | ((flags.state == SlotState.FILLING) & ~flags.pinned)
            ahead = running & (row <= slot)
            s2_found = s2 & (probe["search.s2_slot_0"] == slot) & (probe["search.cost_0"][-3:] != VictimClass.NONE)
            coming = ahead | (s1 & (self.top.search.rows.scan_row == slot)) | s2_found
            wanted = self.is_demand & takable & (slot < n_slots)
            check(m, implies(searching & wanted, coming | found), implies(self._in("ISSUE") & wanted, found))


PROOFS = [
    Proof(
        name="commit-progress",
        claim="a blocked miss has a fill, drain, release, free or pin to come that wakes it; every search ends",
        harness=ProgressHarness,
        depth=2,
        seed_depth=10,
        seeds=(Seed("miss-forgotten", EVENT, "self.misses.push.eq(1)", "self.misses.push.eq(0)"),),
        step_seeds=(
            Seed(
                "fill-does-not-wake",
                TRANSFER,
                "m.d.sync += self.blocked.eq(0)\n            with m.If(status.drained)",
                "with m.If(status.drained)",
            ),
            Seed(
                "last-slot-not-searched",
                SEARCH,
                "(self.search.n_slots - 1) >> lane_bits",
                "(self.search.n_slots - 2) >> lane_bits",
            ),
        ),
    ),
]

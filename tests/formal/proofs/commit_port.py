"""The commit port with its directory and search: who may be a victim, and what a slot may hold."""

from amaranth.hdl import Array, Cat, Mux
from amaranth.lib import data
from moefetch.hw.config import EVENT_BITS
from moefetch.hw.key_map import ROW_WORDS, key_layout
from moefetch.hw.records import GrantStatus
from moefetch.hw.residency import SlotState, flags_layout
from moefetch.hw.victim_search import VictimClass

from ..engine import Proof
from ..harness import check, implies, past
from ..seeding import Seed
from .commit_environment import CONFIG, SLOTS, CommitEnvironment


class CommitHarness(CommitEnvironment):
    """What the directory promises, in every state that the environment can bring about."""

    def properties(self, m, probe):
        super().properties(m, probe)
        self._claims(m)

    def _claims(self, m):
        commit, directory = self.commit, self.commit.directory
        for slot in SLOTS:
            flags, moves = self.flags[slot], self.moving[slot]
            for other in range(slot):
                same = self.keys[slot] == self.keys[other]
                check(m, implies(self.live(slot) & self.live(other), ~same))
            busy = (flags.state == SlotState.FILLING) | (flags.state == SlotState.DRAINING)
            check(m, moves == busy)
            here = directory.key_write & (directory.write_slot == slot)
            own = commit.demand.valid & flags.released
            free = (flags.state == SlotState.FREE) | (
                (flags.state == SlotState.RESIDENT) & ~flags.sticky & (~flags.pinned | own)
            )
            check(m, implies(here, free & ~moves))
            granted = commit.grant.valid & (commit.grant.payload.slot == slot)
            good = granted & (commit.grant.payload.status != GrantStatus.ERROR)
            key = self.keys[slot]
            right = (key.layer == commit.grant.payload.layer) & (key.expert == commit.grant.payload.expert)
            check(m, implies(granted, right))
            granted_before = past(m, good, f"granted_{slot}")
            check(m, implies(granted_before, flags.pinned & ~flags.released & (flags.state == SlotState.RESIDENT)))
        ended = past(m, directory.end_event, "ended")
        owed = Cat(f.pinned & ~f.released for f in self.flags).any() | (self.n_missed != 0)
        check(m, implies(ended, ~owed))
        # What is pushed into the queues of misses and of grants is offered to them from a register.
        check(m, implies(commit.misses.push, commit.classifying), implies(commit.grant.valid, commit.busy))
        self._count_claims(m)
        self._queue_claims(m)

    def _queue_claims(self, m):
        """The queue's rule of use: an insertion's entry stays, is for an event to come, and nothing else is done."""
        queue = self.commit.queue
        entry = queue.entry.as_value()
        stays = past(m, entry, "entry_before") == entry
        inserted = past(m, queue.insert, "inserted")
        touched = queue.insert | queue.pop | queue.flush
        popped = past(m, queue.pop, "queue_popped")
        rested = past(m, ~touched & ~inserted & ~popped, "queue_rested")
        check(m, implies(queue.insert, rested & stays & ~queue.pop & ~queue.flush))
        check(m, implies(inserted, stays & ~touched))
        ahead = (queue.entry.deadline - self.commit.current - 1)[:EVENT_BITS]
        check(m, implies(queue.insert | inserted, ahead < CONFIG.horizon))

    def _count_claims(self, m):
        """`open` is the number of unused prefetches, once the record under way is counted."""
        pulse = self.top.counts.pulse
        unused = sum(f.unused for f in self.flags)
        gone = pulse.hit_prefetch | pulse.late | pulse.useless | pulse.aborted | pulse.failed
        check(m, self.top.counts.open + pulse.issued == unused + gone)

    def strengthen(self, m, probe):
        """Say what holds in each state of the port's machine."""
        self.probe = probe
        for name in ("open", "unreleased", "errors_out", "member", "slot", "wanted", "is_demand"):
            setattr(self, name, probe[f"commit._{name}"])
        self.wanted = data.View(key_layout(CONFIG), self.wanted)
        self.classifies = self._in("CLASSIFY_KEY", "CLASSIFY")
        self._flags_agree(m)
        self._event_counts(m)
        self._misses_are_members(m)
        self._look_ups(m)
        self._search_agrees(m)

    def _in(self, *states):
        return self.probe.state("commit.fsm", *states)

    def _mapped(self, m, layer, expert, name):
        """Return the slot that the key map holds for a key."""
        key = Cat(expert, layer)
        row = self.probe.word("storage.key_map.memory", key // ROW_WORDS, name)
        return row.as_value().word_select(key % ROW_WORDS, CONFIG.slot_bits)

    def _flags_agree(self, m):
        n_slots = self.commit.settings.n_slots
        for slot in SLOTS:
            flags, key = self.flags[slot], self.keys[slot]
            filling, resident = flags.state == SlotState.FILLING, flags.state == SlotState.RESIDENT
            mapped = self._mapped(m, key.layer, key.expert, f"mapped_{slot}")
            check(
                m,
                implies(self.live(slot), (mapped == slot) & (slot < n_slots)),
                self.aborted[slot] == (flags.state == SlotState.DRAINING),
                implies(flags.pinned, self.live(slot) & self.open),
                implies(flags.released, flags.pinned & resident),
                implies(flags.sticky, resident),
                implies(flags.unused, self.live(slot) & ~flags.pinned),
                implies(filling, flags.unused ^ flags.pinned),
            )

    def _event_counts(self, m):
        intake = self.commit.intake
        left = Mux(self.classifies, intake.n_members - self.member + 1, 0)
        owed = self.n_missed + sum(f.pinned & ~f.released for f in self.flags) + self.errors_out
        check(
            m,
            implies(self.open, intake.closed & (self.unreleased == owed + left)),
            implies(~self.open, (owed == 0) & (self.unreleased == 0)),
            implies(self._in("CLOSE"), intake.closed & ~self.open),
            implies(self.classifies | self._in("EXPIRE", "POLICY", "END"), self.open),
            implies(self._in("END"), self.unreleased == 0),
            implies(self.classifies, self.probe["commit._classifies"]),
            implies(~self.classifies & ~self._in("EXPIRE"), self.member == 0),
            implies(self.classifies, (self.member != 0) & (self.member <= intake.n_members)),
            implies(self.classifies, self.unreleased == intake.n_members),
            self.unreleased <= intake.n_members,
            intake.n_members <= 2,
        )
        for flags, key in zip(self.flags, self.keys, strict=True):
            first = (key.layer == intake.layer) & (key.expert == self.members[0])
            check(m, implies(self.classifies & flags.pinned, (self.member == 2) & ~flags.released & first))

    def _misses_are_members(self, m):
        intake, members, missed = self.commit.intake, self.members, self.missed
        known = Mux(self.classifies, self.member - 1, intake.n_members)
        check(m, implies(intake.closed, members[0] != members[1]), self.n_missed <= 2)
        with m.If(self.n_missed != 0):
            check(
                m,
                self.open,
                self.n_missed <= known,
                (missed[0] == members[0]) | ((known == 2) & (missed[0] == members[1])),
            )
            check(m, implies(self.n_missed == 2, missed[0] != missed[1]))
        with m.If(self.classifies):
            check(m, self.wanted.layer == intake.layer, self.wanted.expert == Array(members)[(self.member - 1)[0]])
            check(m, implies(self._in("CLASSIFY"), intake.member_expert == Array(members)[self.member[0]]))
        check(m, implies(self._in("CLOSE"), intake.member_expert == members[0]))
        for slot in SLOTS:
            key = self.keys[slot]
            here = self.live(slot) & (key.layer == intake.layer)
            for i in range(2):
                check(m, implies(here & (i < self.n_missed), key.expert != missed[i]))

    def _look_ups(self, m):
        commit, directory, slot = self.commit, self.commit.directory, self.slot
        row = directory.rows.row_keys[0].as_value()
        keys = Array(key.as_value() for key in self.keys)
        flags = Array(f.as_value() for f in self.flags)
        mapped = self._mapped(m, self.wanted.layer, self.wanted.expert, "mapped_wanted")
        released = commit.release.payload
        check(
            m,
            implies(self._in("CLASSIFY_KEY", "PRESENT_KEY"), directory.slot_of_key == mapped),
            implies(self._in("CLASSIFY", "PRESENT"), slot == mapped),
            implies(self._in("FILL"), commit.status.valid & (slot == commit.status.payload.slot)),
            implies(self._in("RELEASE"), commit.release.valid & (slot == released.slot)),
            implies(
                self._in("RELEASE"), (self.wanted.layer == released.layer) & (self.wanted.expert == released.expert)
            ),
            implies(self._in("ISSUE"), slot == self.top.search.search.slot),
        )
        reads_row = self._in("CLASSIFY", "CANDIDATE", "PRESENT", "FILL", "RELEASE", "POLICY", "SWEEP")
        with m.If(slot < CONFIG.slots):
            check(m, implies(reads_row, row == keys[slot]))
            check(m, implies(reads_row | self._in("ISSUE"), directory.flags.as_value() == flags[slot]))
            check(m, implies(reads_row, self._traits_agree(data.View(flags_layout(), flags[slot]))))
        self._nothing_is_held(m)

    def _traits_agree(self, flags):
        """Return whether the traits that were read are those of a slot's flags."""
        traits, usable = self.commit.directory.traits, self.slot < self.commit.settings.n_slots
        resident, filling = flags.state == SlotState.RESIDENT, flags.state == SlotState.FILLING
        expected = {
            "resident": resident, "filling": filling, "in_use": resident & flags.pinned & ~flags.released,
            "undemanded": filling & ~flags.pinned, "here": resident & usable, "on_its_way": filling & usable,
        }  # fmt: skip
        agree = Cat(traits[name] == value for name, value in expected.items()).all()
        return agree & (traits.wrong <= traits.undemanded)

    def _nothing_is_held(self, m):
        """What a commit has written is in the vectors once a search or another commit begins."""
        held = self.probe.view("storage.held", data.StructLayout({"write": 1, "end_event": 1, "value": flags_layout()}))
        begun = self._in(
            "START",
            "SEARCH",
            "ISSUE",
            "PRESENT_KEY",
            "PRESENT",
            "CANDIDATE_KEY",
            "CANDIDATE",
            "FILL",
            "RELEASE",
            "CLOSE",
        )
        check(m, implies(begun, ~held.write & ~held.end_event))

    def _search_agrees(self, m):
        """A class that the search has found is still the slot's, since no commit comes between."""
        search = self.top.search.search
        running, s2_last = self.probe["search.running"], self.probe["search.s2_last"]
        s1, s1_last, s2 = (self.probe[f"search.${n}"] for n in range(3))  # s1_valid, s1_last, s2_valid
        searching, seeking = self._in("SEARCH"), self._in("START", "SEARCH", "ISSUE")
        check(
            m,
            implies(running | s1 | s2 | search.done, searching),
            implies(s1 & s1_last, ~running),
            implies(s2 & s2_last, ~running & ~s1),
            implies(search.done, ~running & ~s1 & ~s2),
            implies(searching & s2, self._fits(m, self.probe["search.cost_0"][-3:], self.probe["search.s2_slot_0"])),
            implies(searching | self._in("ISSUE"), self._fits(m, search.found, search.slot)),
        )
        takes, aborts = self.probe["commit._takes_slot"], self.probe["commit._aborts_other"]
        in_flight, none = search.found == VictimClass.IN_FLIGHT, search.found == VictimClass.NONE
        check(m, implies(self._in("ISSUE"), (aborts == in_flight) & (takes == ~(in_flight | none))))
        key, intake = self.wanted, self.commit.intake
        with m.If(seeking | self._in("PRESENT_KEY", "PRESENT")):
            demanded = (self.n_missed != 0) & (key.layer == intake.layer) & (key.expert == self.missed[0])
            check(m, Mux(self.is_demand, demanded & seeking, self.n_missed == 0))
        for slot in SLOTS:
            check(m, implies(seeking & self.live(slot), self.keys[slot].as_value() != key.as_value()))

    def _fits(self, m, found, slot):
        """Return whether the slot's flags are those of the class found."""
        flags = data.View(flags_layout(), Array(f.as_value() for f in self.flags)[slot])
        resident = (flags.state == SlotState.RESIDENT) & ~flags.sticky
        taken_over = resident & flags.pinned & flags.released & self.is_demand
        in_flight = (flags.state == SlotState.FILLING) & ~flags.pinned & self.is_demand
        unpinned = resident & ~flags.pinned
        fits = (
            ((found == VictimClass.FREE) & (flags.state == SlotState.FREE))
            | ((found == VictimClass.PASSED) & unpinned)
            | ((found == VictimClass.COMING) & unpinned)
            | ((found == VictimClass.OWN_RELEASED) & taken_over)
            | ((found == VictimClass.IN_FLIGHT) & in_flight)
        )
        return (found == VictimClass.NONE) | (fits & (slot < self.commit.settings.n_slots))


SEARCH, ACTIONS, EVENT, TRANSFER, COUNTS, CANDIDATE = (
    "hw.victim_search",
    "hw.commit_actions",
    "hw.commit_event",
    "hw.commit_transfer",
    "hw.commit_counts",
    "hw.commit_candidate",
)
PROOFS = [
    Proof(
        name="commit-port",
        claim="directory: no pinned slot is a victim, no key in two slots, no transfer into a resident slot",
        harness=CommitHarness,
        depth=2,
        seed_depth=14,
        seeds=(
            Seed("aborted-is-free", ACTIONS, "state=SlotState.DRAINING", "state=SlotState.FREE"),
            Seed("expired-is-inserted", CANDIDATE, "queued = in_time & ", "queued = "),
            Seed(
                "candidate-changes-underway",
                CANDIDATE,
                "m.d.sync += in_reach.eq(",
                "m.d.sync += candidate.eq(self.candidate.payload)\n            m.d.sync += in_reach.eq(",
            ),
        ),
        step_seeds=(
            Seed("pinned-is-victim", SEARCH, "with m.If(~flags.pinned & ~coming):", "with m.If(~coming):"),
            Seed("present-not-looked-for", TRANSFER, "with m.If(self._is_there()):", "with m.If(0):"),
            Seed("ends-one-early", EVENT, "with m.If(self._unreleased == 1):", "with m.If(self._unreleased <= 2):"),
            Seed(
                "evicted-not-useless",
                COUNTS,
                'self._count(m, "evictions")\n                self._count(m, "useless", when=self.record_unused)',
                'self._count(m, "evictions")',
            ),
        ),
    ),
]

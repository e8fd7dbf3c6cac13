"""What surrounds the commit port in its proofs: its directory and search, and parts that only keep contracts."""

from amaranth.hdl import Array, Cat, Const, Module, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import connect
from moefetch.hw.commit_counts import CommitCounts
from moefetch.hw.commit_port import CommitPort
from moefetch.hw.config import bits_for
from moefetch.hw.key_map import key_layout
from moefetch.hw.residency import ResidencyDirectory, SlotState, flags_layout
from moefetch.hw.victim_search import VictimSearch

from ..harness import Harness, assume, implies, past, small

CONFIG = small(max_layers=2, max_experts=2, max_top_k=2, slots=3, banks=1, scan_lanes=1, slot_bytes=8, queue_depth=2)
SLOTS = range(CONFIG.slots)


class Directory(wiring.Component):
    """Commit port, directory, victim search and commit counts, connected as in the core; the rest is free."""

    def __init__(self):
        super().__init__({})
        self.commit, self.storage = CommitPort(config=CONFIG), ResidencyDirectory(config=CONFIG)
        self.search, self.counts = VictimSearch(config=CONFIG), CommitCounts(config=CONFIG)

    def elaborate(self, platform):
        m = Module()
        m.submodules.commit, m.submodules.storage = self.commit, self.storage
        m.submodules.search, m.submodules.counts = self.search, self.counts
        connect(m, self.commit.directory, self.storage.port)
        connect(m, self.commit.search, self.search.search)
        connect(m, self.commit.search_rows, self.search.rows)
        for name in ("record_valid", "record", "record_unused"):
            m.d.comb += getattr(self.counts, name).eq(getattr(self.commit, name))
        return m


class CommitEnvironment(Harness):
    """The commit port among parts that do whatever their contracts allow.

    Free: the prefetch queue's answers, budgets, candidates, releases (also of what was never granted), commands,
    the order and outcome of transfers, and what the directory's memories hold at the start. Assumed: the settings
    are constant, experts move only while no event is closed, an event's members differ and stay until it ends,
    offers stay until they are taken, and the DMA's status is of a transfer under way and says whether it was
    aborted.
    """

    def __init__(self):
        self.top = Directory()
        super().__init__(self.top)
        self.inputs_of(self.top.commit)

    def properties(self, m, probe):
        self.commit = self.top.commit
        self.flags = self._flags_of_slots(m, probe)
        self.keys = [probe.word("storage.keys", Const(slot, bits_for(CONFIG.slots)), f"key_{slot}") for slot in SLOTS]
        self.keys = [data.View(key_layout(CONFIG), Value.cast(word)) for word in self.keys]
        self._settings(m)
        self._intake(m)
        self._misses(m)
        self._transfers(m)
        self._offers(m)

    def _flags_of_slots(self, m, probe):
        """Return the flags of each slot, out of the vectors that hold them and what is about to enter those."""
        flags = [Signal(flags_layout(), name=f"flags_{slot}") for slot in SLOTS]
        for name, shape in flags_layout().members.items():
            for slot in SLOTS:
                bits = [probe[f"storage.kept_{name}_{bit}"][slot] for bit in range(Shape.cast(shape).width)]
                m.d.comb += Value.cast(flags[slot][name]).eq(Cat(bits))
        return flags

    def _settings(self, m):
        settings = self.commit.settings
        m.d.comb += settings.eq(self.constant(m, len(settings.as_value()), "settings"))
        assume(m, settings.n_slots <= CONFIG.slots, settings.n_slots != 0, settings.n_layers == CONFIG.max_layers)

    def _intake(self, m):
        """An event with up to two different members, which stays until the commit port ends it."""
        intake = self.commit.intake
        self.members = [Signal(CONFIG.expert_bits, name=f"member_{i}") for i in range(2)]
        closes, layer, n_members = (
            self.free(1, "closes"),
            self.free(CONFIG.layer_bits, "new_layer"),
            self.free(2, "new_n"),
        )
        new = [self.free(CONFIG.expert_bits, f"new_{i}") for i in range(2)]
        assume(m, n_members <= 2, new[0] != new[1])
        with m.If(intake.closed & intake.event_end):
            m.d.sync += intake.closed.eq(0)
        with m.Elif(~intake.closed & closes):
            m.d.sync += [intake.closed.eq(1), intake.layer.eq(layer), intake.n_members.eq(n_members)]
            m.d.sync += [member.eq(value) for member, value in zip(self.members, new, strict=True)]
        assume(m, implies(self.commit.renew, ~intake.closed))
        m.d.sync += intake.member_expert.eq(Array(self.members)[intake.member_index[0]])

    def _misses(self, m):
        """The queue of misses: what is pushed comes out in order."""
        misses = self.commit.misses
        self.missed = [Signal(CONFIG.expert_bits, name=f"missed_{i}") for i in range(2)]
        self.n_missed = count = Signal(2, name="n_missed")
        m.d.comb += [misses.head_valid.eq(count != 0), misses.empty.eq(count == 0), misses.head.eq(self.missed[0])]
        with m.If(misses.pop):
            m.d.sync += [self.missed[0].eq(self.missed[1]), count.eq(count - 1)]
        with m.Elif(misses.push):
            m.d.sync += count.eq(count + 1)
            for i in range(2):
                with m.If(count == i):
                    m.d.sync += self.missed[i].eq(misses.pushed)

    def _transfers(self, m):
        """One bit a slot: a transfer fills it; one more: it was aborted."""
        commit = self.commit
        self.moving, self.aborted = Signal(CONFIG.slots, name="moving"), Signal(CONFIG.slots, name="aborted")
        status = commit.status
        slot = status.payload.slot
        assume(m, slot < CONFIG.slots)
        self.opens = (commit.demand.valid | commit.prefetch.valid) & 1
        opened_slot = commit.demand.payload.slot
        with m.If(self.opens):
            m.d.sync += [self.moving.bit_select(opened_slot, 1).eq(1), self.aborted.bit_select(opened_slot, 1).eq(0)]
        with m.If(commit.abort.valid):
            m.d.sync += self.aborted.bit_select(commit.abort.slot, 1).eq(1)
        with m.If(status.valid & status.ready):
            m.d.sync += [self.moving.bit_select(slot, 1).eq(0), self.aborted.bit_select(slot, 1).eq(0)]
        drained = self.aborted.bit_select(slot, 1)
        assume(m, implies(status.valid, self.moving.bit_select(slot, 1) & (status.payload.drained == drained)))
        for request in (commit.demand, commit.prefetch):
            ready = past(m, request.ready & ~request.valid, "ready_before")
            assume(m, implies(ready, request.ready))

    def _offers(self, m):
        """Status, release and command stay until they are taken."""
        commit, command = self.commit, self.commit.command
        for offer, name, payload in (
            (commit.status, "status", Cat(commit.status.payload.slot, commit.status.payload.fill)),
            (commit.release, "release", commit.release.payload.as_value()),
        ):
            waits = past(m, offer.valid & ~offer.ready, f"{name}_waits")
            before = past(m, payload, f"{name}_before")
            assume(m, implies(waits, offer.valid & (before == payload)))
        assume(m, commit.release.payload.slot < CONFIG.slots)
        payload = Cat(command.kind, command.layer, command.expert)
        waits, before = past(m, command.valid & ~command.done, "command_waits"), past(m, payload, "command_before")
        assume(m, implies(waits, command.valid & (before == payload)))
        assume(m, implies(past(m, command.done, "command_done"), ~command.valid))

    def live(self, slot):
        """Return whether the slot's key is found: filling or resident."""
        state = self.flags[slot].state
        return (state == SlotState.FILLING) | (state == SlotState.RESIDENT)

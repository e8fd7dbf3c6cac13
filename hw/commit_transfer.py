"""Commits of transfers: a slot is sought for an expert, a transfer has ended."""

from amaranth import Mux, Signal

from .commit_actions import CommitActions
from .config import EVENT_BITS
from .expert_address import ExpertAddress
from .interfaces import transfer_key
from .records import Fill, GrantStatus, Issue, Kind
from .residency import SlotState
from .victim_search import VictimClass


class TransferCommits(CommitActions):
    """ISSUE, FILL and DRAIN; latencies as `CommitPort` states."""

    def _issue_registers(self, m):
        self._is_demand = Signal()
        self._deadline = Signal(EVENT_BITS)
        m.d.comb += [
            self.search.demand.eq(self._is_demand),
            self.search.deadline.eq(self._deadline),
            self.search.current.eq(self.current),
            self.search.layer.eq(self.current_layer),
            self.search.n_layers.eq(self.settings.n_layers),
            self.search.n_slots.eq(self.settings.n_slots),
            self.search.policy.eq(self.settings.victim_policy),
        ]
        self._address_registers(m)
        self._keep_found(m)

    def _address_registers(self, m):
        config = self._config
        payloads = [request.payload for request in (self.demand, self.prefetch)]
        if config.segments > 1:
            where = self.segments
            for payload in payloads:
                m.d.comb += [
                    payload.address.eq(where.pieces[0].address),
                    payload.piece_beats.eq(where.pieces[0].beats),
                    payload.refused.eq(where.refused),
                    *(payload.more[index].eq(where.pieces[index + 1]) for index in range(config.segments - 1)),
                ]
            m.d.comb += where.start.eq(self.search.start)
        else:
            m.submodules.address = where = ExpertAddress(config=config)
            m.d.comb += [payload.address.eq(where.address) for payload in payloads]
        m.d.comb += [where.key.eq(self._wanted), where.settings.eq(self.settings)]
        for payload in payloads:
            m.d.comb += [
                payload.beats.eq(self.settings.expert_beats),
                payload.slot.eq(self._slot),
                *(payload[name].eq(self._wanted[name]) for name in transfer_key(config)),
            ]

    def _issue(self, m):
        self._drop_present(m)
        with m.State("START"):
            m.d.comb += self.search.start.eq(1)
            m.next = "SEARCH"
        with m.State("SEARCH"):
            self._read_slot(m, self.search.slot)
            with m.If(self.search.done):
                m.next = "ISSUE"
                if self._config.segments > 1:
                    with m.If(~self.segments.done):
                        m.next = "WALK"
        if self._config.segments > 1:
            self._await_walk(m)
        with m.State("ISSUE"):
            # A prefetch whose address has just changed stays queued.
            with m.If(~self.renewing):
                self._issue_found(m)
            m.next = "IDLE"

    def _await_walk(self, m):
        """Wait for the pieces of the expert where the walk of the segment table is longer than the search."""
        with m.State("WALK"):
            self._read_slot(m, self.search.slot)
            with m.If(self.segments.done):
                m.next = "ISSUE"

    def _keep_found(self, m):
        """Note what follows from the search's answer, so that the decision is there early in the cycle after it."""
        issued = {
            VictimClass.FREE: Issue.FREE,
            VictimClass.PASSED: Issue.EVICT,
            VictimClass.COMING: Issue.EVICT,
            VictimClass.OWN_RELEASED: Issue.OWN_RELEASED,
        }
        self._takes_slot = Signal()
        self._aborts_other = Signal()
        self._outcome = Signal(Issue)
        m.d.sync += [self._takes_slot.eq(0), self._aborts_other.eq(self.search.found == VictimClass.IN_FLIGHT)]
        with m.Switch(self.search.found):
            for victim, outcome in issued.items():
                with m.Case(victim):
                    m.d.sync += [self._takes_slot.eq(1), self._outcome.eq(outcome)]

    def _issue_found(self, m):
        """Take the slot that the search has found, or note that there is none."""
        with m.If(self._takes_slot):
            self._log_issue(m, self._outcome, self._slot)
            self._allocate(m)
        with m.If(self._aborts_other):
            self._log_issue(m, Issue.ABORT, self._slot)
            self._stop_transfer(m)
            m.d.sync += self.blocked.eq(1)
        with m.If(~self._takes_slot & ~self._aborts_other):
            self._log_issue(m, Mux(self._is_demand, Issue.WAIT, Issue.NO_VICTIM), 0)
            m.d.sync += self.blocked.eq(self._is_demand)
            m.d.comb += self.queue.pop.eq(~self._is_demand)

    def _drop_present(self, m):
        """Drop a queued prefetch whose expert a demand has brought meanwhile, so that no key gets two slots."""
        with m.State("PRESENT_KEY"):
            self._read_found(m)
            m.next = "PRESENT"
        with m.State("PRESENT"):
            m.d.comb += self._looks.eq(1)
            m.next = "START"
            with m.If(self._is_there()):
                self._log_issue(m, Issue.PRESENT, self._slot)
                m.d.comb += [
                    self.queue.pop.eq(1),
                    self.directory.stamp_write.eq(1),
                    self.directory.stamp_value.eq(self._deadline),
                ]
                m.next = "IDLE"

    def _log_issue(self, m, outcome, slot):
        self._log(
            m, Kind.ISSUE, outcome=outcome, layer=self._wanted.layer, expert=self._wanted.expert,
            slot=slot,
            deadline=self._deadline, source=~self._is_demand,
        )  # fmt: skip

    def _allocate(self, m):
        self._set_flags(
            m,
            state=SlotState.FILLING,
            pinned=self._is_demand,
            released=0,
            sticky=0,
            unused=~self._is_demand,
            late=0,
        )
        self._write_tick(m)
        m.d.sync += self._tick.eq(self._tick + 1)
        m.d.comb += [
            self.directory.key_write.eq(1),
            self.directory.key_value.eq(self._wanted),
            self.directory.stamp_write.eq(1),
            self.directory.stamp_value.eq(self._deadline),
            self.demand.valid.eq(self._is_demand),
            self.prefetch.valid.eq(~self._is_demand),
            self.misses.pop.eq(self._is_demand),
            self.queue.pop.eq(~self._is_demand),
        ]

    def _fill(self, m):
        flags, status = self._flags, self.status.payload
        # A pinned slot's expert must be granted even if the directory does not know it any more.
        key = status if self._config.parity else self._key
        with m.State("FILL"):
            m.d.comb += [self.status.ready.eq(1), self._looks.eq(1)]
            m.d.sync += self.blocked.eq(0)
            with m.If(status.drained):
                self._log(m, Kind.DRAIN, slot=self._slot)
                self._set_flags(m, state=SlotState.FREE, unused=0)
            with m.Elif(status.fill == Fill.DONE):
                self._log(m, Kind.FILL, outcome=Fill.DONE, layer=key.layer, expert=key.expert, slot=self._slot)
                self._set_flags(m, state=SlotState.RESIDENT)
                if self._config.parity:
                    m.d.comb += [
                        self.directory.key_write.eq(self._key_wrong),
                        self.directory.key_value.layer.eq(key.layer),
                        self.directory.key_value.expert.eq(key.expert),
                    ]
                with m.If(flags.pinned):
                    self._grant(m, key.layer, key.expert, Mux(flags.late, GrantStatus.LATE, GrantStatus.MISS))
            with m.Else():
                self._log(m, Kind.FILL, outcome=Fill.FAILED, layer=key.layer, expert=key.expert, slot=self._slot)
                self._set_flags(m, state=SlotState.FREE, unused=0, pinned=0)
                with m.If(flags.pinned):
                    self._grant(m, key.layer, key.expert, GrantStatus.ERROR)
                    m.d.sync += self._errors_out.eq(self._errors_out + 1)
            m.next = "IDLE"

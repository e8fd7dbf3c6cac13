"""The one port through which every change of the residency directory passes, one commit at a time."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .commands import Command, CommandSignature
from .config import EVENT_BITS, UnitConfig, bits_for
from .expert_address import ExpertAddress
from .interfaces import (
    candidate_layout,
    candidate_stream,
    descriptor_layout,
    grant_layout,
    record_layout,
    status_layout,
)
from .prefetch_queue import queue_entry_layout
from .records import AbortPolicy, Class, Expiry, Fill, Filter, GrantStatus, Issue, Kind, Sweep
from .residency import TICK_BITS, DirectoryRowsSignature, DirectorySignature, SlotState, key_layout
from .settings import settings_layout
from .victim_search import SearchSignature, VictimClass


class SlotPulseSignature(wiring.Signature):
    """A one-cycle order about the transfer that fills `slot`, seen from who gives it."""

    def __init__(self, config: UnitConfig):
        super().__init__({"valid": Out(1), "slot": Out(config.slot_bits)})


class PrefetchRequestSignature(wiring.Signature):
    """The DMA's unfinished prefetch request, seen from the DMA."""

    def __init__(self, config: UnitConfig):
        beats = bits_for(config.slot_beats + 1)
        super().__init__(
            {
                "valid": Out(1),
                "slot": Out(config.slot_bits),
                "promoted": Out(1),
                "beats_left": Out(beats),
                "beats_total": Out(beats),
            }
        )


class IntakeSignature(wiring.Signature):
    """The closed event, seen from the event intake; members are read one cycle after `member_index`."""

    def __init__(self, config: UnitConfig):
        count = bits_for(config.max_experts + 1)
        super().__init__(
            {
                "closed": Out(1),
                "layer": Out(config.layer_bits),
                "sequence_start": Out(1),
                "n_members": Out(count),
                "member_index": In(config.expert_bits),
                "member_expert": Out(config.expert_bits),
                "query_expert": In(config.expert_bits),
                "query_member": Out(1),
                "event_end": In(1),
            }
        )


class QueueSignature(wiring.Signature):
    """The prefetch queue, seen from the commit port; the answers to `entry` are combinational."""

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "insert": Out(1),
                "entry": Out(queue_entry_layout(config)),
                "found": In(1),
                "drop_self": In(1),
                "drop_last": In(1),
                "head_valid": In(1),
                "head": In(queue_entry_layout(config)),
                "pop": Out(1),
                "flush": Out(1),
                "level": In(bits_for(config.queue_depth + 1)),
            }
        )


class MissQueueSignature(wiring.Signature):
    """The demand queue of the open event's misses, seen from the commit port."""

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "push": Out(1),
                "pushed": Out(config.expert_bits),
                "pop": Out(1),
                "head_valid": In(1),
                "head": In(config.expert_bits),
                "empty": In(1),
            }
        )


class BudgetSignature(wiring.Signature):
    """The budget of a target event, seen from the commit port."""

    def __init__(self):
        super().__init__({"target": Out(EVENT_BITS), "exhausted": In(1), "count_up": Out(1)})


def _is_after(number, other):
    """Compare event numbers modulo their width: `number` is later than `other`."""
    difference = (number - other)[:EVENT_BITS]
    return (difference != 0) & ~difference[-1]


class CommitPort(wiring.Component):
    """Takes fills, releases, event closes, commands, candidates and slot searches, in this precedence.

    docs/unit-rules.md states what each commit does. Each leaves its record on `record` a cycle later.

    Latency, in cycles from a request that finds the port idle to its record: fill, drain and release 2;
    candidate 3; CLOSE 2, then 2 for each member, 1 for each queue entry that met its event, 2 for the
    abort policy (one of them finds no more such entries); a demand's issue `VictimSearch.latency(n_slots) + 3`,
    a prefetch's 2 more, or 3 in all if it is present; a sweep 1 for each generated slot.
    Throughput: the next request is taken in the cycle of the last one's record.

    Members
    -------
    settings
        The settings of this step.
    intake, directory, search, search_rows, queue, misses, budget
        The parts that commits read and change; `search_rows` is the search's way to the directory's rows.
    status, release, candidate, command
        What asks for commits. A release that no grant stands behind is dropped, with a pulse on `fault`.
    demand, prefetch, promote, abort, prefetch_request
        The DMA controller. A descriptor is only offered while its stream is ready.
    grant
        Experts that may be computed, in order of readiness; the receiver must always be ready.
    current, current_layer, started
        Number and layer of the last closed event, and whether there was one.
    classifying, blocked, quiesced, busy
        The event is not yet classified; the oldest miss found no slot; prefetching is halted by command; a
        commit is under way.
    record_valid, record, record_unused
        The commit log, and whether the slot that it names held a prefetch that nobody had used.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            {
                "settings": In(settings_layout(config)),
                "intake": In(IntakeSignature(config)),
                "directory": Out(DirectorySignature(config)),
                "search": Out(SearchSignature(config)),
                "search_rows": In(DirectoryRowsSignature(config)),
                "queue": Out(QueueSignature(config)),
                "misses": Out(MissQueueSignature(config)),
                "budget": Out(BudgetSignature()),
                "status": In(stream.Signature(status_layout(config))),
                "release": In(stream.Signature(grant_layout(config))),
                "candidate": In(candidate_stream(config)),
                "command": In(CommandSignature(config)),
                "demand": Out(stream.Signature(descriptor_layout(config))),
                "prefetch": Out(stream.Signature(descriptor_layout(config))),
                "promote": Out(SlotPulseSignature(config)),
                "abort": Out(SlotPulseSignature(config)),
                "prefetch_request": In(PrefetchRequestSignature(config)),
                "grant": Out(stream.Signature(grant_layout(config))),
                "current": Out(EVENT_BITS, init=(1 << EVENT_BITS) - 1),
                "current_layer": Out(config.layer_bits),
                "started": Out(1),
                "quiesced": Out(1),
                "busy": Out(1),
                "classifying": Out(1),
                "blocked": Out(1),
                "fault": Out(1),
                "record_valid": Out(1),
                "record": Out(record_layout()),
                "record_unused": Out(1),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        config = self._config
        self._slot = Signal(config.slot_bits)
        self._emit = Signal()
        self._record = Signal(record_layout())
        self._tick = Signal(TICK_BITS)
        self._open = Signal()
        self._unreleased = Signal(bits_for(config.max_experts + 1))
        self._errors_out = Signal(bits_for(config.max_experts + 1))
        self._expert = Signal(config.expert_bits)
        self._member = Signal(bits_for(config.max_experts + 1))
        self._found_slot = Signal(config.slot_bits)
        self._sweep_kind = Signal(Sweep)
        self._sweep_slot = Signal(config.slot_bits)
        self._taken = Signal(candidate_layout(config))
        self._select_lane(m)
        self._issue_registers(m)
        self._abort_condition(m)
        self._outputs(m)
        with m.FSM() as fsm:
            self._idle(m)
            self._fill(m)
            self._release(m)
            self._event_close(m)
            self._candidate(m)
            self._issue(m)
            self._sweep(m)
            self._flush(m)
        m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
        m.d.comb += self.classifying.eq(
            (self.intake.closed & ~self._open)
            | fsm.ongoing("CLOSE") | fsm.ongoing("CLASSIFY_KEY") | fsm.ongoing("CLASSIFY")
        )  # fmt: skip
        with m.If(fsm.ongoing("SEARCH")):
            m.d.comb += self.directory.rows.read_row.eq(self.search_rows.read_row)
        return m

    def _abort_condition(self, m):
        request = self.prefetch_request
        self._stamp_is_coming = Signal()
        self._policy_aborts = Signal()
        m.d.comb += self._stamp_is_coming.eq(_is_after(self._stamp, self.current))
        with m.Switch(self.settings.abort_policy):
            with m.Case(AbortPolicy.HALF):
                m.d.comb += self._policy_aborts.eq((request.beats_left << 1) > request.beats_total)
            with m.Case(AbortPolicy.ALWAYS):
                m.d.comb += self._policy_aborts.eq(request.beats_left != 0)

    def _select_lane(self, m):
        """Pick the selected slot's lane out of the row that was read in the cycle before."""
        lane_bits = self._config.scan_lanes.bit_length() - 1
        lane = self._slot[:lane_bits] if lane_bits else 0
        rows = self.directory.rows
        self._key = Signal(key_layout(self._config))
        self._stamp = Signal(EVENT_BITS)
        self._flags = self.directory.flags
        m.d.comb += [
            self._key.eq(Array(rows.row_keys[i].as_value() for i in range(self._config.scan_lanes))[lane]),
            self._stamp.eq(Array(rows.row_stamps[i] for i in range(self._config.scan_lanes))[lane]),
            rows.scan_row.eq(self.search_rows.scan_row),
            self.search_rows.row_keys.eq(rows.row_keys),
            self.search_rows.row_ticks.eq(rows.row_ticks),
            self.search_rows.row_stamps.eq(rows.row_stamps),
            self.search_rows.scan_flags.eq(rows.scan_flags),
            self.directory.slot.eq(self._slot),
            self.directory.write_slot.eq(self._slot),
            self.directory.flags_value.eq(self.directory.flags),
        ]

    def _issue_registers(self, m):
        config = self._config
        self._is_demand = Signal()
        self._issue_key = Signal(key_layout(config))
        self._deadline = Signal(EVENT_BITS)
        m.submodules.address = address = ExpertAddress(config=config)
        m.d.comb += [
            address.key.eq(self._issue_key),
            address.settings.eq(self.settings),
            self.search.demand.eq(self._is_demand),
            self.search.deadline.eq(self._deadline),
            self.search.current.eq(self.current),
            self.search.layer.eq(self.current_layer),
            self.search.n_layers.eq(self.settings.n_layers),
            self.search.n_slots.eq(self.settings.n_slots),
            self.search.policy.eq(self.settings.victim_policy),
        ]
        for request in (self.demand, self.prefetch):
            m.d.comb += [
                request.payload.address.eq(address.address),
                request.payload.beats.eq(self.settings.expert_beats),
                request.payload.slot.eq(self._slot),
            ]

    def _outputs(self, m):
        m.d.sync += [
            self.record_valid.eq(self._emit),
            self.record.eq(self._record),
            self.record_unused.eq(self._flags.unused),
        ]
        m.d.comb += [
            self.promote.slot.eq(self._slot),
            self.abort.slot.eq(self._slot),
            self.queue.entry.deadline.eq(self._taken.target),
            self.queue.entry.layer.eq(self._taken.layer),
            self.queue.entry.expert.eq(self._taken.expert),
            self.queue.entry.score.eq(self._taken.score),
            self.queue.entry.source.eq(self._taken.source),
            self.budget.target.eq(self._taken.target),
            self.misses.pushed.eq(self._expert),
            self.intake.member_index.eq(self._member),
            self.intake.query_expert.eq(self.queue.head.expert),
        ]

    def _log(self, m, kind, **fields):
        m.d.comb += [self._emit.eq(1), self._record.kind.eq(kind)]
        for name, value in fields.items():
            m.d.comb += self._record[name].eq(value)

    def _log_slot(self, m, kind, outcome):
        """Log a commit on the selected slot, whose lane has been read."""
        self._log(m, kind, outcome=outcome, layer=self._key.layer, expert=self._key.expert, slot=self._slot)

    def _set_flags(self, m, **flags):
        m.d.comb += self.directory.flags_write.eq(1)
        for name, value in flags.items():
            m.d.comb += self.directory.flags_value[name].eq(value)

    def _read_slot(self, m, slot):
        lane_bits = self._config.scan_lanes.bit_length() - 1
        m.d.comb += self.directory.rows.read_row.eq(slot >> lane_bits)

    def _grant(self, m, layer, expert, status):
        m.d.comb += [
            self.grant.valid.eq(1),
            self.grant.payload.layer.eq(layer),
            self.grant.payload.expert.eq(expert),
            self.grant.payload.slot.eq(self._slot),
            self.grant.payload.status.eq(status),
        ]

    def _idle(self, m):
        may_prefetch = self.queue.head_valid & self.misses.empty & self.prefetch.ready & ~self.quiesced
        with m.State("IDLE"):
            with m.If(self.status.valid):
                self._read_slot(m, self.status.payload.slot)
                m.next = "FILL"
            with m.Elif(self.release.valid):
                self._read_slot(m, self.release.payload.slot)
                m.next = "RELEASE"
            with m.Elif(self.intake.closed & ~self._open):
                m.next = "CLOSE"
            with m.Elif(self.command.valid):
                self._dispatch_command(m)
            with m.Elif(self.candidate.valid):
                m.d.comb += [
                    self.candidate.ready.eq(1),
                    self.directory.find_key.layer.eq(self.candidate.payload.layer),
                    self.directory.find_key.expert.eq(self.candidate.payload.expert),
                ]
                m.d.sync += self._taken.eq(self.candidate.payload)
                m.next = "CANDIDATE_KEY"
            with m.Elif(self.misses.head_valid & self.demand.ready & ~self.blocked):
                m.d.sync += [
                    self._is_demand.eq(1),
                    self._issue_key.layer.eq(self.intake.layer),
                    self._issue_key.expert.eq(self.misses.head),
                    self._deadline.eq(self.current),
                ]
                m.next = "START"
            with m.Elif(may_prefetch):
                m.d.sync += [
                    self._is_demand.eq(0),
                    self._issue_key.layer.eq(self.queue.head.layer),
                    self._issue_key.expert.eq(self.queue.head.expert),
                    self._deadline.eq(self.queue.head.deadline),
                ]
                m.d.comb += [
                    self.directory.find_key.layer.eq(self.queue.head.layer),
                    self.directory.find_key.expert.eq(self.queue.head.expert),
                ]
                m.next = "PRESENT_KEY"

    def _dispatch_command(self, m):
        with m.Switch(self.command.kind):
            with m.Case(Command.QUIESCE, Command.RESUME):
                m.d.sync += self.quiesced.eq(self.command.kind == Command.QUIESCE)
                m.d.comb += self.command.done.eq(1)
            with m.Case(Command.FLUSH):
                m.next = "FLUSH"
            with m.Default():
                self._start_sweep(m, self._sweep_of_command(m))

    def _sweep_of_command(self, m):
        kind = Signal(Sweep, init=Sweep.INVALIDATE)
        with m.Switch(self.command.kind):
            with m.Case(Command.PIN_KEY):
                m.d.comb += kind.eq(Sweep.PIN)
            with m.Case(Command.UNPIN_KEY):
                m.d.comb += kind.eq(Sweep.UNPIN)
        return kind

    def _fill(self, m):
        flags, status = self._flags, self.status.payload
        with m.State("FILL"):
            m.d.comb += [self._slot.eq(status.slot), self.status.ready.eq(1)]
            m.d.sync += self.blocked.eq(0)
            with m.If(status.drained):
                self._log(m, Kind.DRAIN, slot=self._slot)
                self._set_flags(m, state=SlotState.FREE, unused=0)
            with m.Elif(status.fill == Fill.DONE):
                self._log_slot(m, Kind.FILL, Fill.DONE)
                self._set_flags(m, state=SlotState.RESIDENT)
                with m.If(flags.pinned):
                    self._grant(
                        m,
                        self._key.layer,
                        self._key.expert,
                        Mux(flags.late, GrantStatus.LATE, GrantStatus.MISS),
                    )
            with m.Else():
                self._log_slot(m, Kind.FILL, Fill.FAILED)
                self._set_flags(m, state=SlotState.FREE, unused=0, pinned=0)
                with m.If(flags.pinned):
                    self._grant(m, self._key.layer, self._key.expert, GrantStatus.ERROR)
                    m.d.sync += self._errors_out.eq(self._errors_out + 1)
            m.next = "IDLE"

    def _release(self, m):
        flags, release = self._flags, self.release.payload
        failed = release.status == GrantStatus.ERROR
        in_use = (flags.state == SlotState.RESIDENT) & flags.pinned & ~flags.released
        held = in_use & self._key_matches(release.layer, release.expert)
        known = self._open & Mux(failed, self._errors_out != 0, held)
        with m.State("RELEASE"):
            m.d.comb += [self._slot.eq(release.slot), self.release.ready.eq(1)]
            m.next = "IDLE"
            with m.If(known):
                self._log(m, Kind.RELEASE, outcome=release.status, expert=release.expert, slot=release.slot)
                m.d.sync += [
                    self._tick.eq(self._tick + 1),
                    self.blocked.eq(0),
                    self._unreleased.eq(self._unreleased - 1),
                ]
                with m.If(failed):
                    m.d.sync += self._errors_out.eq(self._errors_out - 1)
                with m.Else():
                    self._set_flags(m, released=1)
                    self._write_tick(m)
                with m.If(self._unreleased == 1):
                    m.next = "END"
            with m.Else():
                m.d.comb += self.fault.eq(1)

    def _write_tick(self, m):
        m.d.comb += [self.directory.tick_write.eq(1), self.directory.tick_value.eq(self._tick)]

    def _event_close(self, m):
        with m.State("CLOSE"):
            self._log(
                m, Kind.CLOSE, outcome=self.intake.sequence_start, layer=self.intake.layer,
                expert=self.intake.n_members, deadline=self.current + 1,
            )  # fmt: skip
            m.d.sync += [
                self.current.eq(self.current + 1),
                self.current_layer.eq(self.intake.layer),
                self.started.eq(1),
                self._open.eq(1),
                self._unreleased.eq(self.intake.n_members),
            ]
            self._find_member(m)
            m.next = "CLASSIFY_KEY"
            with m.If(self.intake.n_members == 0):
                m.next = "EXPIRE"
        with m.State("CLASSIFY_KEY"):
            self._read_slot(m, self.directory.slot_of_key)
            m.d.sync += self._found_slot.eq(self.directory.slot_of_key)
            m.next = "CLASSIFY"
        with m.State("CLASSIFY"):
            m.d.comb += self._slot.eq(self._found_slot)
            self._classify(m)
            self._find_member(m)
            m.next = "CLASSIFY_KEY"
            with m.If(self._member == self.intake.n_members):
                m.next = "EXPIRE"
        self._expire(m)
        self._abort_policy(m)

    def _find_member(self, m):
        """Look the next member's key up; its number has been on `member_index` for a cycle."""
        m.d.comb += [
            self.directory.find_key.layer.eq(self.intake.layer),
            self.directory.find_key.expert.eq(self.intake.member_expert),
        ]
        m.d.sync += [
            self._expert.eq(self.intake.member_expert),
            self._member.eq(self._member + 1),
        ]

    def _key_matches(self, layer, expert):
        return (self._slot < self.settings.n_slots) & (self._key.layer == layer) & (self._key.expert == expert)

    def _classify(self, m):
        flags = self._flags
        matches = self._key_matches(self.intake.layer, self._expert)
        found = Signal(Class)
        with m.If(matches & (flags.state == SlotState.RESIDENT)):
            hit_unused = Mux(self._stamp == self.current, Class.HIT_ON_TARGET, Class.HIT_LATER_USE)
            m.d.comb += found.eq(Mux(flags.unused, hit_unused, Class.HIT_REUSE))
            self._set_flags(m, pinned=1, released=0, unused=0)
            self._grant(m, self.intake.layer, self._expert, GrantStatus.HIT)
        with m.Elif(matches & (flags.state == SlotState.FILLING)):
            m.d.comb += [found.eq(Class.LATE), self.promote.valid.eq(1)]
            self._set_flags(m, pinned=1, released=0, unused=0, late=1)
        with m.Else():
            m.d.comb += [found.eq(Class.MISS), self.misses.push.eq(1)]
        self._log(
            m, Kind.CLASSIFY, outcome=found, layer=self.intake.layer, expert=self._expert,
            slot=Mux(found == Class.MISS, 0, self._slot),
        )  # fmt: skip

    def _expire(self, m):
        head = self.queue.head
        with m.State("EXPIRE"):
            self._read_slot(m, self.prefetch_request.slot)
            m.d.sync += self._member.eq(0)
            with m.If(self.queue.head_valid & ~_is_after(head.deadline, self.current)):
                is_member = self.intake.query_member & (head.layer == self.intake.layer)
                outcome = Mux(is_member, Expiry.PROMOTED, Expiry.EXPIRED)
                self._log(
                    m, Kind.EXPIRE, outcome=outcome, layer=head.layer, expert=head.expert,
                    deadline=head.deadline,
                    score=head.score, source=head.source,
                )  # fmt: skip
                m.d.comb += self.queue.pop.eq(1)
            with m.Else():
                m.next = "POLICY"

    def _abort_policy(self, m):
        request, flags = self.prefetch_request, self._flags
        with m.State("POLICY"):
            m.d.comb += self._slot.eq(request.slot)
            undemanded = (flags.state == SlotState.FILLING) & ~flags.pinned
            with m.If(request.valid & undemanded & ~self._stamp_is_coming & self._policy_aborts):
                self._abort(m, Sweep.WRONG)
            m.next = "IDLE"
            with m.If(self._unreleased == 0):
                m.next = "END"

    def _abort(self, m, why):
        self._log_slot(m, Kind.ABORT, why)
        self._stop_transfer(m)

    def _stop_transfer(self, m):
        m.d.comb += self.abort.valid.eq(1)
        self._set_flags(m, state=SlotState.DRAINING, unused=0)

    def _candidate(self, m):
        candidate = self._taken
        with m.State("CANDIDATE_KEY"):
            self._read_slot(m, self.directory.slot_of_key)
            m.d.sync += self._found_slot.eq(self.directory.slot_of_key)
            m.next = "CANDIDATE"
        with m.State("CANDIDATE"):
            outcome = Signal(Filter)
            m.d.comb += self._slot.eq(self._found_slot)
            self._filter(m, outcome)
            there = (outcome == Filter.RESIDENT) | (outcome == Filter.IN_FLIGHT)
            with m.If(there):
                m.d.comb += [
                    self.directory.stamp_write.eq(1),
                    self.directory.stamp_value.eq(candidate.target),
                ]
            self._log(
                m, Kind.CANDIDATE, outcome=outcome, layer=candidate.layer, expert=candidate.expert,
                slot=Mux(there, self._slot, 0), deadline=candidate.target, score=candidate.score,
                source=candidate.source,
            )  # fmt: skip
            m.next = "IDLE"

    def _filter(self, m, outcome):
        candidate, flags = self._taken, self._flags
        matches = self._key_matches(candidate.layer, candidate.expert)
        ahead = Signal(EVENT_BITS)
        m.d.comb += ahead.eq(candidate.target - self.current - 1)
        with m.If((ahead >= self._config.horizon) | self.quiesced):
            m.d.comb += outcome.eq(Filter.EXPIRED)
        with m.Elif(matches & (flags.state == SlotState.RESIDENT)):
            m.d.comb += outcome.eq(Filter.RESIDENT)
        with m.Elif(matches & (flags.state == SlotState.FILLING)):
            m.d.comb += outcome.eq(Filter.IN_FLIGHT)
        with m.Elif(self.queue.found):
            m.d.comb += outcome.eq(Filter.IN_QUEUE)
        with m.Elif(self.budget.exhausted):
            m.d.comb += outcome.eq(Filter.OVER_BUDGET)
        with m.Elif(self.queue.drop_self):
            m.d.comb += outcome.eq(Filter.OVERFLOW)
        with m.Else():
            m.d.comb += [
                outcome.eq(Mux(self.queue.drop_last, Filter.QUEUED_DROPPING, Filter.QUEUED)),
                self.queue.insert.eq(1),
                self.budget.count_up.eq(1),
            ]

    def _issue(self, m):
        self._drop_present(m)
        with m.State("START"):
            m.d.comb += self.search.start.eq(1)
            m.next = "SEARCH"
        with m.State("SEARCH"):
            m.d.comb += self._slot.eq(self.search.slot)
            with m.If(self.search.done):
                m.next = "ISSUE"
        with m.State("ISSUE"):
            m.d.comb += self._slot.eq(self.search.slot)
            issued = {
                VictimClass.FREE: Issue.FREE,
                VictimClass.PASSED: Issue.EVICT,
                VictimClass.COMING: Issue.EVICT,
                VictimClass.OWN_RELEASED: Issue.OWN_RELEASED,
            }
            with m.Switch(self.search.found):
                for victim, outcome in issued.items():
                    with m.Case(victim):
                        self._log_issue(m, outcome, self._slot)
                        self._allocate(m)
                with m.Case(VictimClass.IN_FLIGHT):
                    self._log_issue(m, Issue.ABORT, self._slot)
                    self._stop_transfer(m)
                    m.d.sync += self.blocked.eq(1)
                with m.Default():
                    self._log_issue(m, Mux(self._is_demand, Issue.WAIT, Issue.NO_VICTIM), 0)
                    m.d.sync += self.blocked.eq(self._is_demand)
                    m.d.comb += self.queue.pop.eq(~self._is_demand)
            m.next = "IDLE"

    def _drop_present(self, m):
        """Drop a queued prefetch whose expert a demand has brought meanwhile, so that no key gets two slots."""
        flags = self._flags
        with m.State("PRESENT_KEY"):
            self._read_slot(m, self.directory.slot_of_key)
            m.d.sync += self._found_slot.eq(self.directory.slot_of_key)
            m.next = "PRESENT"
        with m.State("PRESENT"):
            m.d.comb += self._slot.eq(self._found_slot)
            found = self._key_matches(self._issue_key.layer, self._issue_key.expert)
            m.next = "START"
            with m.If(found & ((flags.state == SlotState.RESIDENT) | (flags.state == SlotState.FILLING))):
                self._log_issue(m, Issue.PRESENT, self._slot)
                m.d.comb += [
                    self.queue.pop.eq(1),
                    self.directory.stamp_write.eq(1),
                    self.directory.stamp_value.eq(self._deadline),
                ]
                m.next = "IDLE"

    def _log_issue(self, m, outcome, slot):
        self._log(
            m, Kind.ISSUE, outcome=outcome, layer=self._issue_key.layer, expert=self._issue_key.expert,
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
            self.directory.key_value.eq(self._issue_key),
            self.directory.stamp_write.eq(1),
            self.directory.stamp_value.eq(self._deadline),
            self.demand.valid.eq(self._is_demand),
            self.prefetch.valid.eq(~self._is_demand),
            self.misses.pop.eq(self._is_demand),
            self.queue.pop.eq(~self._is_demand),
        ]

    def _start_sweep(self, m, kind):
        self._read_slot(m, 0)
        m.d.sync += [self._sweep_kind.eq(kind), self._sweep_slot.eq(0)]
        m.next = "SWEEP"

    def _sweep(self, m):
        config = self._config
        with m.State("END"):
            self._log(m, Kind.END, deadline=self.current)
            m.d.comb += [self.directory.end_event.eq(1), self.intake.event_end.eq(1)]
            m.d.sync += self._open.eq(0)
            m.next = "IDLE"
            with m.If(self.settings.evict_at_event_end):
                self._start_sweep(m, Sweep.EVENT_END)
        with m.State("SWEEP"):
            following = Signal(config.slot_bits + 1)
            m.d.comb += [self._slot.eq(self._sweep_slot), following.eq(self._sweep_slot + 1)]
            self._read_slot(m, following)
            m.d.sync += self._sweep_slot.eq(following)
            self._sweep_one(m)
            with m.If(following == config.slots):
                m.d.comb += self.command.done.eq(self._sweep_kind != Sweep.EVENT_END)
                m.next = "IDLE"

    def _sweep_one(self, m):
        flags = self._flags
        layer_matches = self._key.layer == self.command.layer
        key_matches = layer_matches & (self._key.expert == self.command.expert)
        selected = Signal()
        with m.Switch(self.command.kind):
            with m.Case(Command.INVALIDATE_ALL):
                m.d.comb += selected.eq(1)
            with m.Case(Command.INVALIDATE_LAYER):
                m.d.comb += selected.eq(layer_matches)
            with m.Default():
                m.d.comb += selected.eq(key_matches)
        resident, free_to_go = flags.state == SlotState.RESIDENT, ~flags.pinned
        with m.Switch(self._sweep_kind):
            with m.Case(Sweep.EVENT_END), m.If(free_to_go & ~self._stamp_is_coming & ~flags.sticky):
                with m.If(resident):
                    self._free(m, Sweep.EVENT_END)
                with m.Elif(flags.state == SlotState.FILLING):
                    self._abort(m, Sweep.EVENT_END)
            with m.Case(Sweep.INVALIDATE), m.If(selected & free_to_go):
                with m.If(resident):
                    self._free(m, Sweep.INVALIDATE)
                with m.Elif(flags.state == SlotState.FILLING):
                    self._abort(m, Sweep.INVALIDATE)
            with m.Default(), m.If(selected & resident):
                m.d.sync += self.blocked.eq(0)
                self._log_slot(m, Kind.PIN, self._sweep_kind)
                self._set_flags(m, sticky=self._sweep_kind == Sweep.PIN)

    def _free(self, m, why):
        self._log_slot(m, Kind.FREE, why)
        self._set_flags(m, state=SlotState.FREE, unused=0, sticky=0)
        m.d.sync += self.blocked.eq(0)

    def _flush(self, m):
        """Empty the queue at once, so that the counters' laws hold in every cycle."""
        with m.State("FLUSH"):
            self._log(m, Kind.FLUSH, expert=self.queue.level)
            m.d.comb += [self.queue.flush.eq(1), self.command.done.eq(1)]
            m.next = "IDLE"

"""The one port through which every change of the residency directory passes, one commit at a time."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from .commands import CommandSignature
from .commit_candidate import CandidateCommits
from .commit_event import EventCommits
from .commit_parity import ParityChecks
from .commit_signatures import (
    BudgetSignature,
    IntakeSignature,
    MissQueueSignature,
    PrefetchRequestSignature,
    QueueSignature,
    SlotPulseSignature,
)
from .commit_sweep import SweepCommits
from .commit_transfer import TransferCommits
from .config import EVENT_BITS, UnitConfig, bits_for
from .interfaces import (
    candidate_layout,
    candidate_stream,
    descriptor_layout,
    grant_layout,
    record_layout,
    status_layout,
)
from .key_map import key_layout
from .records import Sweep
from .residency import TICK_BITS, DirectoryRowsSignature, DirectorySignature
from .segment_walk import WalkSignature
from .settings import settings_layout
from .victim_search import SearchSignature


def patience_bits(config: UnitConfig) -> int:
    """Return b: 2**b candidates may go before a miss that could be issued.

    As many as name every expert of every event within the horizon, and those of one prediction, or more: a stream that
    says nothing twice never meets the bound.
    """
    return bits_for((config.horizon + 1) * config.max_experts)


class CommitPort(EventCommits, TransferCommits, CandidateCommits, SweepCommits, ParityChecks):
    """Takes fills, releases, event closes, commands, candidates and slot searches, in this precedence.

    While a miss could be issued, 2**`patience_bits` candidates at most are taken; then the miss goes first.

    docs/unit-rules.md states what each commit does. Each leaves its record on `record` a cycle later.

    Latency, in cycles from a request that finds the port idle to its record: fill, drain and release 2;
    candidate 3; CLOSE 2, then 2 for each member, 1 for each queue entry that met its event, 2 for the
    abort policy (one of them finds no more such entries); a demand's issue `VictimSearch.latency(n_slots) + 3`,
    a prefetch's 2 more, or 3 in all if it is present (with `segments` > 1 one more than `SegmentWalk.latency` at least,
    in place of the search's); a sweep 1 for each generated slot, a command's 2.
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
    renew, renewing
        Pulse, while no event is open: from now on other bytes are the experts'. Before anything else every slot is
        emptied, as by INVALIDATE_ALL; until then `renewing` is 1.
    layer_skip
        Pulse: the event that closes is not of the layer after the last one's, nor of layer 0 at a sequence's start.
    segments
        Where the pieces of an expert lie; only with `segments` > 1.
    current, current_layer, started
        Number and layer of the last closed event, and whether there was one.
    classifying, blocked, quiesced, busy
        The event is not yet classified; the oldest miss found no slot; prefetching is halted by command; a
        commit is under way.
    parity_error, scrubbing
        Only with `parity`. Pulse: a word of the directory was read with wrong parity. A sweep waits that empties such
        slots; it goes before commands.
    record_valid, record, record_unused
        The commit log, and whether the slot that it names held a prefetch that nobody had used.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            ({"parity_error": Out(1), "scrubbing": Out(1)} if config.parity else {})
            | ({"segments": Out(WalkSignature(config))} if config.segments > 1 else {})
            | {
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
                "renew": In(1),
                "renewing": Out(1),
                "layer_skip": Out(1),
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
        self._next_slot = Signal(config.slot_bits)
        self._wanted = Signal(key_layout(config))
        self._emit = Signal()
        self._record = Signal(record_layout())
        self._tick = Signal(TICK_BITS)
        self._open = Signal()
        self._classifies = Signal()
        self._unreleased = Signal(bits_for(config.max_experts + 1))
        self._errors_out = Signal(bits_for(config.max_experts + 1))
        self._member = Signal(bits_for(config.max_experts + 1))
        self._sweep_kind = Signal(Sweep)
        self._by_command = Signal()
        self._compared = Signal()
        self._selected = Signal()
        self._taken = Signal(candidate_layout(config))
        self._overtaken = Signal(patience_bits(config) + 1)
        self._select_lane(m)
        self._watch_parity(m)
        self._issue_registers(m)
        self._abort_condition(m)
        self._outputs(m)
        self._read_ahead(m)
        self._compare(m)
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
        m.d.comb += self.classifying.eq((self.intake.closed & ~self._open) | self._classifies)
        with m.If(fsm.ongoing("SEARCH")):
            m.d.comb += self.directory.rows.read_row.eq(self.search_rows.read_row)
        return m

    def _outputs(self, m):
        m.d.sync += [
            self.record_valid.eq(self._emit),
            self.record.eq(self._record),
            self.record_unused.eq(self._flags.unused),
        ]
        with m.If(self.renew):
            m.d.sync += self.renewing.eq(1)
        m.d.comb += [
            self.promote.slot.eq(self._slot),
            self.abort.slot.eq(self._slot),
            self.queue.entry.deadline.eq(self._taken.target),
            self.queue.entry.layer.eq(self._taken.layer),
            self.queue.entry.expert.eq(self._taken.expert),
            self.queue.entry.score.eq(self._taken.score),
            self.queue.entry.source.eq(self._taken.source),
            self.budget.target.eq(self._taken.target),
            self.misses.pushed.eq(self._wanted.expert),
            self.intake.member_index.eq(self._member),
            self.intake.query_expert.eq(self.queue.head.expert),
        ]

    def _idle(self, m):
        may_demand = self.misses.head_valid & self.demand.ready & ~self.blocked
        miss_first = may_demand & self._overtaken[-1]
        may_prefetch = self.queue.head_valid & self.misses.empty & self.prefetch.ready & ~self.quiesced
        asked = self.renewing | self.status.valid | self.release.valid | (self.intake.closed & ~self._open)
        if self._config.parity:
            asked |= self.scrubbing
        with m.State("IDLE"):
            self._look_ahead(m, miss_first)
            # Whether a candidate is there is known late: its source need not wait for that to be told.
            m.d.comb += self.candidate.ready.eq(~(asked | self.command.valid | miss_first))
            with m.If(self.renewing):
                m.d.sync += self.renewing.eq(0)
                self._start_sweep(m, Sweep.RENEW)
            with m.Elif(self.status.valid):
                m.next = "FILL"
            with m.Elif(self.release.valid):
                m.next = "RELEASE"
            with m.Elif(self.intake.closed & ~self._open):
                m.next = "CLOSE"
            if self._config.parity:
                with m.Elif(self.scrubbing):
                    m.d.sync += self.scrubbing.eq(0)
                    self._start_sweep(m, Sweep.SCRUB)
            with m.Elif(self.command.valid):
                self._dispatch_command(m)
            with m.Elif(self.candidate.valid & ~miss_first):
                m.d.sync += self._overtaken.eq(Mux(may_demand, self._overtaken + 1, 0))
                m.next = "CANDIDATE_KEY"
            with m.Elif(may_demand):
                m.d.sync += self._overtaken.eq(0)
                m.next = "START"
            with m.Elif(may_prefetch):
                m.next = "PRESENT_KEY"

    def _read_ahead(self, m):
        """Read what a commit out of idleness may ask for, unless a state asks for something else.

        A release and a miss do not ask the key map. Sweeps begin with slot 0, and that of `renewing` goes before all.
        """
        head, candidate = self.queue.head, self.candidate
        with m.If(self.status.valid & ~self.renewing):
            self._read_slot(m, self.status.payload.slot)
        with m.Elif(self.release.valid & ~self.renewing):
            self._read_slot(m, self.release.payload.slot)
        with m.If(candidate.valid):
            self._look_up(m, candidate.payload.layer, candidate.payload.expert)
        with m.Else():
            self._look_up(m, head.layer, head.expert)

    def _look_ahead(self, m, miss_first):
        """Take over what the next commit will need; nothing of it matters to a commit of another kind.

        Whether a commit may begin is known late in the cycle. Nothing here waits for it but the choice between a
        candidate and a miss that goes first.
        """
        head = self.queue.head
        with m.If(self.candidate.valid & ~self.release.valid & ~miss_first):
            self._want(m, self.candidate.payload.layer, self.candidate.payload.expert)
        with m.Elif(self.release.valid):
            self._want(m, self.release.payload.layer, self.release.payload.expert)
        with m.Elif(self.misses.head_valid):
            self._want(m, self.intake.layer, self.misses.head)
        with m.Else():
            self._want(m, head.layer, head.expert)
        m.d.sync += [
            self._taken.eq(self.candidate.payload),
            self._is_demand.eq(self.misses.head_valid),
            self._deadline.eq(Mux(self.misses.head_valid, self.current, head.deadline)),
        ]

"""The prefetch unit without its registers: instantiates the parts and connects them."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .budget import BudgetCounter
from .candidates import CandidateMerge
from .clock_gate import control_domain, in_control
from .commands import CommandSignature
from .commit_counts import COUNTED, CommitCounts
from .commit_port import CommitPort
from .config import UnitConfig, bits_for
from .counters import CounterFile, CounterPortSignature
from .dma import DmaController
from .event import EventIntake
from .expert_mapping import ExpertMapping
from .expert_sram import ExpertSram
from .interfaces import (
    SegmentPortSignature,
    SlotReadSignature,
    TableSignature,
    WeightPortSignature,
    grant_layout,
    hint_layout,
    memory_signature,
    record_layout,
    route_layout,
)
from .late_queue import LateQueue
from .page_channel import PageChannel
from .predictor_bank import PredictorBank
from .prefetch_queue import PrefetchQueue
from .records import Fill, Kind
from .registers import faults_layout, unit_state_layout
from .residency import ResidencyDirectory
from .segment_walk import SegmentWalk
from .settings import settings_layout
from .stall_monitor import BUCKETS, StallMonitor
from .victim_search import VictimSearch


class PrefetchCore(wiring.Component):
    """Predicts, fetches and grants experts; see docs/unit-rules.md.

    Latency: the sum of its parts'; last router beat to first grant of a resident expert 6 cycles.
    Throughput: one router beat, one grant and one word of every bank a cycle.

    Members
    -------
    route, hint : In(stream) ; grant : Out(stream) ; release : In(stream)
    read : In(SlotReadSignature) * n_pe
    axi : Out(Axi4ReadSignature), or Out(Axi4Signature) where tables lie in memory
    settings : In(settings_layout)
        Copied at a step's first event.
    readdressed : In
        Settings that say which bytes an expert is have changed, and `apply` has not come since.
    topk_layer : Out, topk_value : In
        Look-up of the per-layer top-k, combinational.
    awake : Out
        Something is under way, or arrives, in the parts that `ClockGate` may stop.
    apply : Out
        The settings are copied in this cycle: a step's first event begins, or none has closed yet.
    tables : In(TableSignature) * len(config.predictors)
    weights : In(WeightPortSignature), only with predictor `weights`
    segments : In(SegmentPortSignature), only with `segments` > 1
    command : In(CommandSignature), counters : In(CounterPortSignature), state : Out(unit_state_layout),
    faults : Out(faults_layout)
    record_valid, record
        The commit log.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        optional = {"weights": In(WeightPortSignature(config))} if config.has_weights else {}
        optional |= {"segments": In(SegmentPortSignature(config))} if config.segments > 1 else {}
        super().__init__(
            optional
            | {
                "route": In(stream.Signature(route_layout(config))),
                "hint": In(stream.Signature(hint_layout(config))),
                "grant": Out(stream.Signature(grant_layout(config))),
                "release": In(stream.Signature(grant_layout(config))),
                "read": In(SlotReadSignature(config)).array(config.n_pe),
                "axi": Out(memory_signature(config)),
                "settings": In(settings_layout(config)),
                "readdressed": In(1),
                "awake": Out(1),
                "apply": Out(1),
                "topk_layer": Out(config.layer_bits),
                "topk_value": In(bits_for(config.max_top_k + 1)),
                "tables": In(TableSignature(config)).array(len(config.predictors)),
                "command": In(CommandSignature(config)),
                "counters": In(CounterPortSignature(config)),
                "state": Out(unit_state_layout()),
                "faults": Out(faults_layout(config)),
                "record_valid": Out(1),
                "record": Out(record_layout()),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        config = self._config
        m.submodules.intake = self._intake = in_control(config, EventIntake(config=config))
        m.submodules.predictors = self._predictors = in_control(config, PredictorBank(config=config))
        m.submodules.merge = self._merge = in_control(config, CandidateMerge(config=config))
        m.submodules.budget = self._budget = in_control(config, BudgetCounter(config=config))
        m.submodules.queue = self._queue = in_control(config, PrefetchQueue(config=config))
        m.submodules.directory = self._directory = in_control(config, ResidencyDirectory(config=config))
        m.submodules.search = self._search = in_control(config, VictimSearch(config=config))
        m.submodules.commit = self._commit = in_control(config, CommitPort(config=config))
        m.submodules.dma = self._dma = DmaController(config=config)
        m.submodules.sram = self._sram = ExpertSram(config=config)
        m.submodules.counts = self._counts = in_control(config, CommitCounts(config=config))
        m.submodules.stalls = self._stalls = StallMonitor(config=config)
        m.submodules.counters = self._counters = CounterFile(config=config)
        self._connect_settings(m)
        self._connect_intake(m)
        self._connect_candidates(m)
        self._connect_queues(m)
        self._connect_dma(m)
        if config.segments > 1:
            self._connect_segments(m)
        self._connect_counters(m)
        self._connect_status(m)
        self._tell_awake(m)
        connect(m, self._commit.directory, self._directory.port)
        connect(m, self._commit.search, self._search.search)
        connect(m, self._commit.search_rows, self._search.rows)
        connect(m, flipped(self.command), self._commit.command)
        for port, reader in enumerate(self.read):
            connect(m, flipped(reader), self._sram.read[port])
        return m

    def _connect_settings(self, m):
        """Copy the settings at a step's first event, and freely before the first event."""
        self._active = active = Signal(settings_layout(self._config))
        with m.If(self._intake.apply | ~self._commit.started):
            m.d[control_domain(self._config)] += active.eq(self.settings)
        for part in (self._intake, self._predictors, self._merge):
            m.d.comb += [part.n_layers.eq(active.n_layers), part.n_experts.eq(active.n_experts)]
        m.d.comb += [
            self.apply.eq(self._intake.apply | ~self._commit.started),
            self._commit.settings.eq(active),
            self._commit.renew.eq(self._intake.apply & self._commit.started & self.readdressed),
            self._intake.timeout.eq(self.settings.route_timeout),
            self._dma.timeout.eq(self.settings.bus_timeout),
            self._budget.budget.eq(active.budget),
            self._merge.hints_first.eq(active.hints_first),
            self._merge.hints_enable.eq(active.hints),
            self._merge.predictor_enable.eq(active.predictor != 0),
            self._predictors.selected.eq(active.predictor),
            self._predictors.row_entries.eq(active.row_entries),
            self._predictors.min_score.eq(active.min_score),
            self._predictors.hold_cycles.eq(active.hold_cycles),
        ]
        for name in ("outstanding", "burst_beats", "retries", "qos_demand", "qos_prefetch", "cache", "prot"):
            m.d.comb += getattr(self._dma, name).eq(active[name])

    def _connect_intake(self, m):
        intake, commit = self._intake, self._commit
        connect(m, flipped(self.route), intake.route)
        connect(m, intake.event, self._predictors.event)
        m.d.comb += [
            self.topk_layer.eq(intake.topk_layer),
            intake.topk_value.eq(self.topk_value),
            self._predictors.event_end.eq(commit.intake.event_end),
        ]
        for name in ("closed", "layer", "sequence_start", "n_members", "member_expert", "query_member"):
            m.d.comb += getattr(commit.intake, name).eq(getattr(intake, name))
        for name in ("member_index", "query_expert", "event_end"):
            m.d.comb += getattr(intake, name).eq(getattr(commit.intake, name))

    def _connect_candidates(self, m):
        merge, commit, budget = self._merge, self._commit, self._budget
        connect(m, self._predictors.candidate, merge.predicted)
        connect(m, flipped(self.hint), merge.hint)
        connect(m, merge.candidate, commit.candidate)
        for index in range(len(self._config.predictors)):
            connect(m, flipped(self.tables[index]), self._predictors.tables[index])
        if self._config.has_weights:
            connect(m, flipped(self.weights), self._predictors.weights)
        m.d.comb += [
            merge.current.eq(commit.current),
            merge.closing.eq(commit.directory.closing),
            merge.current_layer.eq(commit.current_layer),
            merge.started.eq(commit.started),
            budget.target.eq(commit.budget.target),
            budget.count_up.eq(commit.budget.count_up),
            commit.budget.exhausted.eq(budget.exhausted),
            budget.close.eq(self._counts.pulse.events),
            budget.number.eq(commit.current),
        ]

    def _connect_queues(self, m):
        """Connect the prefetch queue, the misses of the open event and the grants on their way out."""
        config, commit, queue = self._config, self._commit, self._queue
        self._misses = misses = LateQueue(shape=config.expert_bits, depth=config.max_experts)
        self._grants = grants = LateQueue(shape=grant_layout(config), depth=config.max_experts)
        m.submodules.misses, m.submodules.grants = in_control(config, misses), in_control(config, grants)
        m.d.comb += [
            queue.insert.valid.eq(commit.queue.insert),
            queue.insert.entry.eq(commit.queue.entry),
            queue.current.eq(commit.current),
            queue.pop.eq(commit.queue.pop),
            queue.flush.eq(commit.queue.flush),
            commit.queue.level.eq(queue.level),
            commit.queue.found.eq(queue.found),
            commit.queue.drop_self.eq(queue.full_drop_self),
            commit.queue.drop_last.eq(queue.drop_last),
            commit.queue.head_valid.eq(queue.head.valid),
            commit.queue.head.eq(queue.head.entry),
            commit.queue.due.eq(queue.due),
            misses.offer.eq(commit.classifying),
            misses.word.eq(commit.misses.pushed),
            misses.push.eq(commit.misses.push),
            misses.oldest.ready.eq(commit.misses.pop),
            commit.misses.head_valid.eq(misses.oldest.valid),
            commit.misses.head.eq(misses.oldest.payload),
            commit.misses.empty.eq(misses.empty),
            grants.offer.eq(commit.busy),
            grants.word.eq(commit.grant.payload),
            grants.push.eq(commit.grant.valid),
            commit.grant.ready.eq(1),
        ]
        self._hand_out(m)
        connect(m, flipped(self.release), commit.release)

    def _hand_out(self, m):
        """Connect the grants on their way out to the port, through the expert mapping unit if there is one."""
        config, out, grants = self._config, self.grant, self._grants.oldest
        if config.mapping_window:
            m.submodules.mapping = mapping = ExpertMapping(config=config)
            connect(m, mapping.grant, flipped(self.grant))
            for watched, port in ((mapping.release, self.release), *zip(mapping.read, self.read, strict=True)):
                for name in watched.signature.members:
                    m.d.comb += getattr(watched, name).eq(getattr(port, name))
            m.d.comb += [
                mapping.expert_beats.eq(self._active.expert_beats),
                self._stalls.bank_awaited.eq(mapping.held),
            ]
            out = mapping.granted
        m.d.comb += [out.valid.eq(grants.valid), out.payload.eq(grants.payload), grants.ready.eq(out.ready)]

    def _connect_dma(self, m):
        dma, commit = self._dma, self._commit
        connect(m, commit.demand, dma.demand)
        connect(m, commit.prefetch, dma.prefetch)
        connect(m, dma.status, commit.status)
        connect(m, dma.sink, self._sram.write)
        self._protocol_error = dma.protocol_error
        if self._config.pages_tables:
            self._connect_pages(m)
        else:
            connect(m, dma.axi, flipped(self.axi))
        for order in ("promote", "abort"):
            m.d.comb += [
                getattr(dma, order).valid.eq(getattr(commit, order).valid),
                getattr(dma, order).slot.eq(getattr(commit, order).slot),
            ]
        for name in ("valid", "slot", "promoted", "most_left"):
            m.d.comb += getattr(commit.prefetch_request, name).eq(dma.prefetch_request[name])

    def _connect_segments(self, m):
        commit = self._commit
        m.submodules.segments = segments = in_control(self._config, SegmentWalk(config=self._config))
        connect(m, commit.segments, segments.walk)
        connect(m, flipped(self.segments), segments.port)
        refused = [request.valid & request.payload.refused for request in (commit.demand, commit.prefetch)]
        m.d.comb += self._counters.pulse.segment_faults.eq(refused[0] | refused[1])

    def _connect_pages(self, m):
        """Connect the tables' way to memory; where they lie acts at once, how the bus is used as for experts."""
        dma, predictors, commit = self._dma, self._predictors, self._commit
        m.submodules.pages = pages = PageChannel(config=self._config)
        connect(m, dma.axi, pages.dma)
        connect(m, pages.axi, flipped(self.axi))
        connect(m, predictors.pages, pages.pages)
        self._protocol_error |= pages.protocol_error
        queued = self._queue.head.valid & ~commit.quiesced
        m.d.comb += [
            pages.base.eq(self.settings.table_base),
            pages.hold.eq(dma.requesting | ~self._misses.empty | queued),
            pages.cache.eq(self._active.cache),
            pages.prot.eq(self._active.prot),
            predictors.page_control.enable.eq(self.settings.table_enable),
            predictors.page_control.quiesced.eq(commit.quiesced),
            predictors.page_control.retries.eq(self._active.retries),
            predictors.page_control.burst_beats.eq(self._active.burst_beats),
        ]
        pulse = self._counters.pulse
        m.d.comb += [
            pulse.table_read_beats.eq(pages.beat_read),
            pulse.table_written_beats.eq(pages.beat_written),
            *(pulse[name].eq(predictors.page_pulses[name]) for name in predictors.page_pulses.shape().members),
        ]

    def _connect_counters(self, m):
        config, counters, counts, stalls = self._config, self._counters, self._counts, self._stalls
        commit, dma, pulse = self._commit, self._dma, self._counters.pulse
        conflicts = self._sram.conflict
        m.d.comb += [
            counts.record_valid.eq(commit.record_valid),
            counts.record.eq(commit.record),
            counts.record_unused.eq(commit.record_unused),
            stalls.event_open.eq(self._intake.closed),
            stalls.n_members.eq(self._intake.n_members),
            stalls.grant_valid.eq(self.grant.valid),
            stalls.grant_ready.eq(self.grant.ready),
            stalls.classifying.eq(commit.classifying),
            stalls.demand_busy.eq(dma.demand_busy),
            stalls.blocked.eq(commit.blocked),
            stalls.misses_queued.eq(~self._misses.empty),
            stalls.bank_lost.eq(conflicts.any()),
            counters.flushed.eq(counts.flushed),
            counters.conflicts.eq(sum(conflicts[port] for port in range(config.n_pe))),
            counters.gauges.open.eq(counts.open),
            pulse.cycles.eq(1),
            pulse.demand_beats.eq(dma.beat_demand),
            pulse.prefetch_beats.eq(dma.beat_prefetch),
            pulse.discarded_beats.eq(dma.beat_discarded),
            pulse.bursts.eq(dma.burst),
            pulse.retries.eq(dma.retry),
            pulse.route_faults.eq(self._intake.fault | commit.fault),
            pulse.hint_faults.eq(self._merge.fault),
            pulse.predictor_wait.eq(self._predictors.wait),
            pulse.route_wait.eq(self._intake.predictor_wait),
            pulse.layer_skips.eq(commit.layer_skip),
            pulse.bus_timeouts.eq(dma.timed_out),
            pulse.bus_errors.eq(dma.error_response),
            pulse.protocol_errors.eq(self._protocol_error),
        ]
        # A gauge must change in the cycle after the pulses that explain it; the queue changes with the commit.
        m.d.sync += counters.gauges.queued_open.eq(self._queue.level)
        for name in COUNTED:
            m.d.comb += pulse[name].eq(counts.pulse[name])
        for name in BUCKETS:
            m.d.comb += pulse[name].eq(stalls.bucket[name])
        if config.parity:
            wrong = commit.parity_error | self._predictors.parity_error
            m.d.comb += [pulse.parity_errors.eq(wrong), self.faults.parity_error.eq(wrong)]
        connect(m, flipped(self.counters), counters.port)

    def _connect_status(self, m):
        commit, dma, state, faults = self._commit, self._dma, self.state, self.faults
        waiting = self._intake.closed | self._intake.event.valid | self._merge.candidate.valid
        queued = self._queue.head.valid & ~commit.quiesced
        record = commit.record
        m.d.comb += [
            self.record_valid.eq(commit.record_valid),
            self.record.eq(record),
            state.event_number.eq(commit.current),
            state.event_open.eq(self._intake.closed),
            state.quiesced.eq(commit.quiesced),
            state.overdue.eq(dma.overdue),
            state.idle.eq(~waiting & ~queued & ~commit.busy & dma.idle & ~self._predictors.busy),
            faults.transfer_error.eq(
                commit.record_valid & (record.kind == Kind.FILL) & (record.outcome == Fill.FAILED)
            ),
            faults.layer.eq(record.layer),
            faults.expert.eq(record.expert),
            faults.queue_overflow.eq(self._counts.pulse.overflow),
            faults.transfer_timeout.eq(dma.timed_out),
        ]
        # Known late in the cycle, and told in the next one.
        m.d.sync += [
            faults.route_fault.eq(self._intake.fault | commit.fault),
            faults.layer_order.eq(commit.layer_skip),
        ]
        with m.If(self._intake.apply):
            m.d.sync += state.step_number.eq(state.step_number + 1)

    def _tell_awake(self, m):
        """Tell when a gated part acts, or has a reason to, other than a register access."""
        intake, merge, commit, dma = self._intake, self._merge, self._commit, self._dma
        arrives = self.route.valid | self.hint.valid | self.release.valid | dma.status.valid | self.command.valid
        leaves = self._grants.oldest.valid & self._grants.oldest.ready
        passes = intake.event.valid | merge.candidate.valid | self._predictors.busy
        commits = commit.busy | commit.classifying | commit.record_valid | commit.renewing | intake.watching
        issues = (self._misses.oldest.valid & dma.demand.ready & ~commit.blocked) | (
            self._queue.head.valid & self._misses.empty & dma.prefetch.ready & ~commit.quiesced
        )
        if self._config.parity:
            commits |= commit.scrubbing
        m.d.comb += self.awake.eq(arrives | leaves | passes | commits | issues)

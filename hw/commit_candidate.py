"""Commits of candidates: the filter between predictors and prefetch queue."""

from amaranth import Mux, Signal

from .commit_actions import CommitActions
from .config import EVENT_BITS
from .records import Filter, Kind
from .residency import SlotState


class CandidateCommits(CommitActions):
    """CANDIDATE; latency as `CommitPort` states."""

    def _candidate(self, m):
        candidate = self._taken
        in_reach = Signal()
        ahead = Signal(EVENT_BITS)
        m.d.comb += ahead.eq(candidate.target - self.current - 1)
        with m.State("CANDIDATE_KEY"):
            self._read_found(m)
            m.d.sync += in_reach.eq(ahead < self._config.horizon)
            m.next = "CANDIDATE"
        with m.State("CANDIDATE"):
            outcome = Signal(Filter)
            m.d.comb += self._looks.eq(1)
            self._filter(m, outcome, in_reach)
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

    def _filter(self, m, outcome, in_reach):
        flags = self._flags
        matches = self._finds()
        with m.If(~in_reach | self.quiesced):
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

"""Commits of candidates: the filter between predictors and prefetch queue."""

from amaranth import Mux, Signal

from .commit_actions import CommitActions
from .config import EVENT_BITS
from .records import Filter, Kind


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
            outcome, there = Signal(Filter), Signal()
            m.d.comb += self._looks.eq(1)
            self._filter(m, outcome, there, in_reach & ~self.quiesced)
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

    def _filter(self, m, outcome, there, in_time):
        """Decide; whether the expert is `there`, resident or in flight, is known last."""
        traits, queue = self._traits, self.queue
        waits_or_drops = queue.found | self.budget.exhausted | queue.drop_self
        is_there = self._is_there()
        queued = in_time & ~waits_or_drops & ~is_there
        m.d.comb += [
            there.eq(in_time & is_there),
            queue.insert.eq(queued),
            self.budget.count_up.eq(queued),
        ]
        with m.If(~in_time):
            m.d.comb += outcome.eq(Filter.EXPIRED)
        with m.Elif(there):
            m.d.comb += outcome.eq(Mux(traits.here, Filter.RESIDENT, Filter.IN_FLIGHT))
        with m.Elif(queue.found):
            m.d.comb += outcome.eq(Filter.IN_QUEUE)
        with m.Elif(self.budget.exhausted):
            m.d.comb += outcome.eq(Filter.OVER_BUDGET)
        with m.Elif(queue.drop_self):
            m.d.comb += outcome.eq(Filter.OVERFLOW)
        with m.Else():
            m.d.comb += outcome.eq(Mux(queue.drop_last, Filter.QUEUED_DROPPING, Filter.QUEUED))

"""Commits of an event: its close, the classification of its members, expired prefetches, its end."""

from amaranth import Mux, Signal

from .commit_actions import CommitActions
from .records import AbortPolicy, Class, Expiry, GrantStatus, Kind, Sweep


class EventCommits(CommitActions):
    """CLOSE, CLASSIFY, EXPIRE, the abort policy and RELEASE; latencies as `CommitPort` states."""

    def _abort_condition(self, m):
        request = self.prefetch_request
        self._policy_aborts = Signal()
        with m.Switch(self.settings.abort_policy):
            with m.Case(AbortPolicy.HALF):
                m.d.comb += self._policy_aborts.eq(request.most_left)
            with m.Case(AbortPolicy.ALWAYS):
                m.d.comb += self._policy_aborts.eq(request.valid)

    def _event_close(self, m):
        with m.State("CLOSE"):
            self._log(
                m, Kind.CLOSE, outcome=self.intake.sequence_start, layer=self.intake.layer,
                expert=self.intake.n_members, deadline=self.current + 1,
            )  # fmt: skip
            following = Mux(self.current_layer + 1 >= self.settings.n_layers, 0, self.current_layer + 1)
            begins = self.intake.sequence_start & (self.intake.layer == 0)
            m.d.comb += self.directory.closing.eq(1)
            m.d.comb += self.layer_skip.eq(self.started & ~begins & (self.intake.layer != following))
            m.d.sync += [
                self.current.eq(self.current + 1),
                self.current_layer.eq(self.intake.layer),
                self.started.eq(1),
                self._open.eq(1),
                self._unreleased.eq(self.intake.n_members),
            ]
            self._find_member(m)
            self._read_slot(m, self.prefetch_request.slot)
            m.d.sync += self._classifies.eq(self.intake.n_members != 0)
            m.next = "CLASSIFY_KEY"
            with m.If(self.intake.n_members == 0):
                m.next = "EXPIRE"
        with m.State("CLASSIFY_KEY"):
            self._read_found(m)
            m.next = "CLASSIFY"
        with m.State("CLASSIFY"):
            self._read_slot(m, self.prefetch_request.slot)
            m.d.comb += self._looks.eq(1)
            self._classify(m)
            self._find_member(m)
            m.next = "CLASSIFY_KEY"
            with m.If(self._member == self.intake.n_members):
                m.d.sync += self._classifies.eq(0)
                m.next = "EXPIRE"
        self._expire(m)
        self._abort_policy(m)

    def _find_member(self, m):
        """Look the next member's key up; its number has been on `member_index` for a cycle."""
        self._find(m, self.intake.layer, self.intake.member_expert)
        m.d.sync += self._member.eq(self._member + 1)

    def _classify(self, m):
        flags, traits = self._flags, self._traits
        matches = self._finds()
        found = Signal(Class)
        with m.If(matches & traits.here):
            hit_unused = Mux(self._stamp == self.current, Class.HIT_ON_TARGET, Class.HIT_LATER_USE)
            m.d.comb += found.eq(Mux(flags.unused, hit_unused, Class.HIT_REUSE))
            self._set_flags(m, pinned=1, released=0, unused=0)
            self._grant(m, self._wanted.layer, self._wanted.expert, GrantStatus.HIT)
        with m.Elif(matches & traits.on_its_way):
            m.d.comb += [found.eq(Class.LATE), self.promote.valid.eq(1)]
            self._set_flags(m, pinned=1, released=0, unused=0, late=1)
        with m.Else():
            m.d.comb += [found.eq(Class.MISS), self.misses.push.eq(1)]
        self._log(
            m, Kind.CLASSIFY, outcome=found, layer=self._wanted.layer, expert=self._wanted.expert,
            slot=Mux(found == Class.MISS, 0, self._slot),
        )  # fmt: skip

    def _expire(self, m):
        head = self.queue.head
        with m.State("EXPIRE"):
            self._read_slot(m, self.prefetch_request.slot)
            m.d.sync += self._member.eq(0)
            with m.If(self.queue.head_valid & self.queue.due):
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
        with m.State("POLICY"):
            with m.If(self._traits.wrong & self._policy_aborts):
                self._abort(m, Sweep.WRONG)
            m.next = "IDLE"
            with m.If(self._unreleased == 0):
                m.next = "END"

    def _release(self, m):
        release = self.release.payload
        failed = release.status == GrantStatus.ERROR
        held = self._traits.in_use & (self._key_matches() | self._key_wrong)
        known = self._open & Mux(failed, self._errors_out != 0, held)
        with m.State("RELEASE"):
            m.d.comb += [self.release.ready.eq(1), self._looks.eq(1)]
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

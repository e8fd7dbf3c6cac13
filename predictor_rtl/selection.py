"""Selection: names the scored experts one by one, each time the best that is left."""

from typing import TYPE_CHECKING, Any

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..hw.config import SCORE_BITS, UnitConfig, bits_for
from .ranking import ranked_layout
from .weight_layout import group_bits_of, lanes_of


class Selection(wiring.Component):
    """Keeps scores group by group and the best of each group, so that taking one expert out costs one group's search.

    The search of a group is a tree of comparisons, cut twice by registers. It runs as scores arrive, and again, for one
    group, whenever that group's best has been named.

    Latency: with the last scores and `start` in cycle c, the first expert is offered in cycle c + `latency` = 6.
    Throughput: an expert every `period` = 5 cycles, if `ready`.

    Members
    -------
    scored : In, group : In, scores : In
        A group's scores; each group in use once, then `start`. Not again before `cancel`.
    start : In
        Pulse, in the cycle of the last group's scores or later: begin to offer.
    cancel : In
        Pulse: nothing is offered from the next cycle on, and no score counts any more. Not together with others.
    min_score : In, n_experts : In
        Named are experts below `n_experts` with a score of `min_score` or more; sampled with the scores.
    ranked : Out(stream)
        The experts in descending score, ties to the lower expert. `valid` falls without a transfer only after `cancel`.
    busy : Out
        Something is left to be offered.
    """

    latency = 6
    period = 5

    def __init__(self, *, config: UnitConfig):
        self._config = config
        self._lanes = lanes_of(config)
        group_bits = group_bits_of(config)
        ranked: Any = ranked_layout(config)
        super().__init__(
            {
                "scored": In(1),
                "group": In(group_bits),
                "scores": In(data.ArrayLayout(SCORE_BITS, self._lanes)),
                "start": In(1),
                "cancel": In(1),
                "min_score": In(SCORE_BITS),
                "n_experts": In(bits_for(config.max_experts + 1)),
                "ranked": Out(stream.Signature(ranked)),
                "busy": Out(1),
            }
        )
        self._entry = data.StructLayout({"found": 1, "score": SCORE_BITS, "expert": config.expert_bits})
        self._left = Array(Signal(self._lanes, name=f"left_{group}") for group in range(1 << group_bits))
        self._best = [Signal(self._entry, name=f"best_{group}") for group in range(1 << group_bits)]
        self._winner = Signal(self._entry)
        self._winner_group = Signal(group_bits)
        self._search = Signal()
        self._reading = Signal()
        self._s0_valid = Signal()
        self._s1_valid = Signal()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        self._elaborate_search(m)
        self._elaborate_offer(m)
        with m.If(self.cancel):
            m.d.sync += [left.eq(0) for left in self._left]
            m.d.sync += [best.found.eq(0) for best in self._best]
            m.d.sync += [self._reading.eq(0), self._s0_valid.eq(0), self._s1_valid.eq(0)]
        return m

    def _expert(self, lane: int, group):
        """Return the expert of a lane."""
        lane_bits = (self._lanes - 1).bit_length()
        return Cat(Const(lane, lane_bits), group)

    def _elaborate_search(self, m):
        """A third of the tree's levels on scores that come or are read again, s0; on s0; and on s1, into the best."""
        scores_layout: Any = data.ArrayLayout(SCORE_BITS, self._lanes)
        m.submodules.stored = stored = Memory(shape=scores_layout, depth=len(self._best), init=[])
        read: Any = stored.read_port()
        write: Any = stored.write_port()
        group, s0_group, s1_group = (Signal.like(self.group, name=f"{stage}_group") for stage in ("in", "s0", "s1"))
        s0_valid, s1_valid, reading = self._s0_valid, self._s1_valid, self._reading
        m.d.comb += [
            write.addr.eq(self.group),
            write.data.eq(self.scores),
            write.en.eq(self.scored),
            read.addr.eq(self._winner_group),
            group.eq(Mux(self.scored, self.group, self._winner_group)),
        ]
        m.d.sync += [
            reading.eq(self._search),
            s0_valid.eq(self.scored | reading),
            s0_group.eq(group),
            s1_valid.eq(s0_valid),
            s1_group.eq(s0_group),
        ]
        levels = (self._lanes - 1).bit_length()
        on_s0 = (levels - levels // 3) // 2
        found = self._leaves(m, read.data, group)
        found = self._registered(m, self._reduce(m, found, levels=levels // 3, name="first"), "s0")
        found = self._registered(m, self._reduce(m, found, levels=on_s0, name="upper"), "s1")
        (best,) = self._reduce(m, found, levels=levels - levels // 3 - on_s0, name="lower")
        for index, held in enumerate(self._best):
            with m.If(s1_valid & (s1_group == index)):
                m.d.sync += held.eq(best)

    def _leaves(self, m, stored, group):
        """Return a group's experts: of scores that come those that are wanted, of `stored` ones those that are left."""
        leaves: list[Any] = [Signal(self._entry, name=f"leaf_{lane}") for lane in range(self._lanes)]
        wanted = Signal(self._lanes)
        for lane, leaf in enumerate(leaves):
            is_high = self.scores[lane] >= self.min_score
            m.d.comb += [
                wanted[lane].eq(is_high & (self._expert(lane, self.group) < self.n_experts)),
                leaf.found.eq(Mux(self.scored, wanted[lane], self._left[self._winner_group].bit_select(lane, 1))),
                leaf.score.eq(Mux(self.scored, self.scores[lane], stored[lane])),
                leaf.expert.eq(self._expert(lane, group)),
            ]
        with m.If(self.scored):
            m.d.sync += self._left[self.group].eq(wanted)
        return leaves

    def _registered(self, m, entries, name):
        """Return entries a cycle later."""
        later: list[Any] = [Signal(self._entry, name=f"{name}_{index}") for index in range(len(entries))]
        m.d.sync += [after.eq(before) for before, after in zip(entries, later, strict=True)]
        return later

    def _reduce(self, m, entries, *, levels, name):
        """Return the best of neighbours after so many levels; the lower wins a tie."""
        for level in range(levels):
            winners = []
            for index in range(0, len(entries), 2):
                lower, upper = entries[index], entries[index + 1]
                winner: Any = Signal(self._entry, name=f"{name}_{level}_{index // 2}")
                # One comparison, `found` being its highest bit, is a shorter path than three conditions.
                is_upper = Cat(upper.score, upper.found) > Cat(lower.score, lower.found)
                m.d.comb += winner.eq(Mux(is_upper, upper, lower))
                winners.append(winner)
            entries = winners
        return entries

    def _elaborate_offer(self, m):
        """PICK the best of the groups, MARK it as named and search its group, CHECK what is left, OFFER it."""
        (best,) = self._reduce(m, self._best, levels=len(self.group), name="group")
        lane_bits = (self._lanes - 1).bit_length()
        group, lane = best.expert[lane_bits:], self._winner.expert[:lane_bits]
        is_last = Signal()
        m.d.comb += [
            self.ranked.payload.expert.eq(self._winner.expert),
            self.ranked.payload.score.eq(self._winner.score),
            self.ranked.payload.last.eq(is_last),
        ]
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"):
                with m.If(self.start):
                    m.next = "PICK"
            with m.State("PICK"):
                m.d.sync += [self._winner.eq(best), self._winner_group.eq(group)]
                with m.If(~(self._reading | self._s0_valid | self._s1_valid)):
                    m.next = "IDLE"
                    with m.If(best.found):
                        m.next = "MARK"
                self._end_if_cancelled(m)
            with m.State("MARK"):
                m.d.comb += self._search.eq(1)
                m.d.sync += self._left[self._winner_group].bit_select(lane, 1).eq(0)
                m.next = "CHECK"
                self._end_if_cancelled(m)
            with m.State("CHECK"):
                m.d.sync += is_last.eq(~Cat(*self._left).any())
                m.next = "OFFER"
                self._end_if_cancelled(m)
            with m.State("OFFER"):
                m.d.comb += self.ranked.valid.eq(1)
                with m.If(self.ranked.ready):
                    m.next = "PICK"
                    with m.If(is_last):
                        m.next = "IDLE"
                self._end_if_cancelled(m)

    def _end_if_cancelled(self, m):
        with m.If(self.cancel):
            m.next = "IDLE"

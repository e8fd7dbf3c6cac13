"""Ranking: names the scored experts from the highest score down, lower experts first."""

from typing import TYPE_CHECKING, Any

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..hw.config import SCORE_BITS, UnitConfig, bits_for

GROUP = 16
"""Experts that one priority encoder tells apart; a larger set is searched group by group."""


def ranked_layout(config: UnitConfig) -> data.StructLayout:
    """Return a ranked expert; `last` is set on the final one."""
    return data.StructLayout({"expert": config.expert_bits, "score": SCORE_BITS, "last": 1})


def lowest_set(bits):
    """Return the index of the lowest bit that is set; 0 if none is. Combinational."""
    index = Const(0, range(len(bits)))
    for candidate in reversed(range(1, len(bits))):
        index = Mux(bits[candidate], candidate, index)
    return Mux(bits[0], 0, index)[: bits_for(len(bits))]


def any_and_several(bits):
    """Return whether a bit is set, and whether more than one is: by halves, which is faster than a subtraction."""
    if len(bits) == 1:
        return bits[0], Const(0, 1)
    (low, lows), (high, highs) = (any_and_several(half) for half in (bits[: len(bits) // 2], bits[len(bits) // 2 :]))
    return low | high, lows | highs | (low & high)


class Ranking(wiring.Component):
    """Walks the score levels from `ceiling` to `min_score` and offers the experts found at each.

    Four stages, each with a register: s0 compares all scores with a level; s1 holds the experts that match;
    s2 takes them in groups of 16; s3 takes a group apart, lowest expert first. The expert that s3 gives out
    is held until another is found, or none is left, because only then its `last` is known.

    Latency: with `start` in cycle c, the experts of the highest score s are in s3 in cycle c + 4 + `ceiling`
    - s; the first, if it is not alone in its group, is offered a cycle later: after `latency` = 5 cycles if s
    is `ceiling`. The last of n experts on v levels is offered at c + 5 + `ceiling` - `min_score` + n + v at the
    latest, if none has to wait for `ready`. Throughput: empty levels pass at one a cycle, experts of a level
    leave at one a cycle, and a level with experts follows another after two cycles or more.

    Members
    -------
    start : In
        Pulse: begin at `ceiling`. Scores must stay until the walk has ended.
    cancel : In
        Pulse: nothing is offered from the next cycle on. Wins over `start`.
    ceiling : In
        At least the highest score.
    min_score : In, n_experts : In
        Named are experts below `n_experts` with a score of `min_score` or more; constant during the walk.
    level : Out, matched : In
        Combinational comparison of all scores with a level.
    ranked : Out(stream)
        The experts. `valid` falls without a transfer only after `cancel`.
    busy : Out
        Something is left to be walked or offered.
    """

    latency = 5

    def __init__(self, *, config: UnitConfig):
        self._config = config
        ranked: Any = ranked_layout(config)
        n_groups = -(-config.max_experts // GROUP)
        super().__init__(
            {
                "start": In(1),
                "cancel": In(1),
                "ceiling": In(SCORE_BITS),
                "min_score": In(SCORE_BITS),
                "n_experts": In(bits_for(config.max_experts + 1)),
                "level": Out(SCORE_BITS),
                "matched": In(config.max_experts),
                "ranked": Out(stream.Signature(ranked)),
                "busy": Out(1),
            }
        )
        self._s0_walking = Signal()
        self._s0_walks_on = Signal()  # what `_s0_walking` becomes; so the next two
        self._s1_stays = Signal()
        self._s2_keeps = Signal()
        self._more = Signal()  # one of those three stages holds something
        self._s1_valid = Signal()
        self._s1_matched = Signal(config.max_experts)
        self._s1_level = Signal(SCORE_BITS)
        self._s2_groups = Signal(n_groups)
        self._s2_found = Signal()  # a group is left, so that `valid` and `ready` begin at flip-flops
        self._s2_matched = Array(Signal(GROUP, name=f"s2_group_{index}") for index in range(n_groups))
        self._s2_level = Signal(SCORE_BITS)
        self._s2_ready = Signal()
        self._s3_group = Signal(range(n_groups))
        self._s3_matched = Signal(GROUP)
        self._s3_found = Signal()  # an expert matches
        self._s3_finds = Signal()  # what `_s3_found` becomes
        self._next_known = Signal(init=1)  # there is an expert after the held one, or none: `valid` begins here
        self._s3_level = Signal(SCORE_BITS)
        self._s3_ready = Signal()
        self._held = Signal()
        self._held_expert = Signal(config.expert_bits)
        self._held_score = Signal(SCORE_BITS)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        self._elaborate_walk(m)
        self._elaborate_groups(m)
        self._elaborate_offer(m)
        more = self._s0_walks_on | self._s1_stays | self._s2_keeps
        m.d.sync += [
            self._s0_walking.eq(self._s0_walks_on),
            self._s1_valid.eq(self._s1_stays),
            self._s2_found.eq(self._s2_keeps),
            self._s3_found.eq(self._s3_finds),
            self._more.eq(more),
            self._next_known.eq(self._s3_finds | ~more),
        ]
        with m.If(self.cancel):
            m.d.sync += [
                self._s0_walking.eq(0),
                self._s1_valid.eq(0),
                self._s2_groups.eq(0),
                self._s2_found.eq(0),
                self._more.eq(0),
                self._s3_matched.eq(0),
                self._s3_found.eq(0),
                self._next_known.eq(1),
                self._held.eq(0),
            ]
        return m

    def _elaborate_walk(self, m):
        """s0 and s1: one level a cycle, unless experts found wait for s2."""
        do_step = Signal()
        m.d.comb += [
            do_step.eq(~self._s1_valid | ~self._s1_matched.any() | self._s2_ready),
            self._s0_walks_on.eq(self._s0_walking),
            self._s1_stays.eq(self._s1_valid),
        ]
        with m.If(do_step):
            m.d.comb += self._s1_stays.eq(self._s0_walking & (self.level >= self.min_score))
            m.d.sync += [
                self._s1_matched.eq(self.matched),
                self._s1_level.eq(self.level),
            ]
            with m.If(self.level <= self.min_score):
                m.d.comb += self._s0_walks_on.eq(0)
            with m.Else():
                m.d.sync += self.level.eq(self.level - 1)
        with m.If(self.start):
            m.d.comb += self._s0_walks_on.eq(1)
            m.d.sync += self.level.eq(self.ceiling)

    def _elaborate_groups(self, m):
        """s2: hold a level's experts, and hand the lowest group on.

        A level is taken only when s2 stands empty, not as it empties: `ready` of the output must not reach
        the enable of all of s1 in the same cycle.
        """
        groups = self._s2_groups
        n_groups = len(groups)
        rest = Signal(n_groups)
        lowest = Signal.like(self._s3_group)
        m.d.comb += [
            rest.eq(groups & (groups - 1)),
            self._s2_ready.eq(~self._s2_found),
            self._s2_keeps.eq(self._s2_found),
            lowest.eq(lowest_set(groups)),
        ]
        found: list[Any] = [self._s1_matched[index * GROUP : (index + 1) * GROUP] for index in range(n_groups)]
        with m.If(self._s3_ready):
            m.d.comb += self._s2_keeps.eq(rest.any())
            m.d.sync += groups.eq(rest)
        with m.If(self._s1_valid & self._s1_matched.any() & self._s2_ready):
            m.d.comb += self._s2_keeps.eq(1)
            m.d.sync += [groups.eq(Cat(part.any() for part in found)), self._s2_level.eq(self._s1_level)]
            m.d.sync += [group.eq(part) for group, part in zip(self._s2_matched, found, strict=True)]
        bound = self.n_experts // GROUP
        partial = (1 << self.n_experts % GROUP) - 1
        known = Mux(lowest < bound, (1 << GROUP) - 1, Mux(lowest == bound, partial, 0))
        taken = Signal(GROUP)
        m.d.comb += taken.eq(Mux(self._s2_found, self._s2_matched[lowest] & known, 0))
        m.d.comb += self._s3_finds.eq(Mux(self._s3_ready, taken.any(), self._s3_found))
        with m.If(self._s3_ready):
            m.d.sync += [
                self._s3_matched.eq(taken),
                self._s3_group.eq(lowest),
                self._s3_level.eq(self._s2_level),
            ]

    def _elaborate_offer(self, m):
        """s3: give out the group's lowest expert, and hold it until its successor or the end is known."""
        matched = self._s3_matched
        rest = Signal(GROUP)
        found, found_all, do_hold = Signal(), Signal(), Signal()
        m.d.comb += [
            rest.eq(matched & (matched - 1)),
            found.eq(self._s3_found),
            do_hold.eq(found & (~self._held | self.ranked.ready)),
            self._s3_ready.eq(~any_and_several(matched)[1] & (do_hold | ~found)),
            found_all.eq(~(self._more | found)),
            self.ranked.valid.eq(self._held & self._next_known),
            self.ranked.payload.expert.eq(self._held_expert),
            self.ranked.payload.score.eq(self._held_score),
            self.ranked.payload.last.eq(found_all),
            self.busy.eq(self._held | ~found_all),
        ]
        with m.If(do_hold):
            m.d.sync += [
                self._held.eq(1),
                self._held_expert.eq(Cat(lowest_set(matched), self._s3_group)),
                self._held_score.eq(self._s3_level),
            ]
            with m.If(~self._s3_ready):
                m.d.sync += matched.eq(rest)
        with m.Elif(self.ranked.valid & self.ranked.ready):
            m.d.sync += self._held.eq(0)

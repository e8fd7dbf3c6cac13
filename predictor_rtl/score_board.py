"""Score board: one saturating score for each expert of the next layer."""

from functools import reduce
from operator import add, or_
from typing import TYPE_CHECKING, Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..hw.config import SCORE_BITS, UnitConfig
from .cct import CONFIDENCE_BITS, entry_layout

HISTORY_SCORE = 2
"""What an expert in the history table scores."""

MAX_SCORE = (1 << SCORE_BITS) - 1


class ScoreBoard(wiring.Component):
    """Adds up `predictor_lanes` table entries a cycle on `max_experts` scores in flip-flops.

    Every score has an adder of its own, so no order of entries needs a forwarding path, and entries of one
    cycle may name the same expert.

    Latency: scores follow `load` and `add` `latency` = 1 cycle later; `ceiling` and `matched` are
    combinational. Throughput: one `load` or `add` a cycle.

    Members
    -------
    load : In, history : In
        Set the score of expert e to 2 if bit e of `history` is set, else to 0. Wins over `add`.
    add : In, lanes : In
        Add each entry's confidence to its expert's score, saturating at 255.
    ceiling : Out
        Bitwise OR of all scores: at least the highest score, and less than twice it.
    level : In, matched : Out
        Bit e: the score of expert e is `level`.
    """

    latency = 1

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            {
                "load": In(1),
                "history": In(config.max_experts),
                "add": In(1),
                "lanes": In(data.ArrayLayout(entry_layout(config), config.predictor_lanes)),
                "ceiling": Out(SCORE_BITS),
                "level": In(SCORE_BITS),
                "matched": Out(config.max_experts),
            }
        )

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        scores = [Signal(SCORE_BITS, name=f"score_{expert}") for expert in range(self._config.max_experts)]
        for expert, score in enumerate(scores):
            with m.If(self.load):
                m.d.sync += score.eq(Mux(self.history[expert], HISTORY_SCORE, 0))
            with m.Elif(self.add):
                m.d.sync += score.eq(self._saturating_sum(m, expert, score))
        m.d.comb += [
            self.ceiling.eq(reduce(or_, scores)),
            self.matched.eq(Cat(score == self.level for score in scores)),
        ]
        return m

    def _saturating_sum(self, m, expert, score):
        """Return the score with what this cycle's lanes add to it."""
        lanes = range(self._config.predictor_lanes)
        gains = [
            Mux(self.lanes[lane].expert == expert, self.lanes[lane].confidence, 0)[:CONFIDENCE_BITS] for lane in lanes
        ]
        total = Signal(SCORE_BITS + 1, name=f"total_{expert}")
        m.d.comb += total.eq(reduce(add, gains, score))
        return Mux(total[SCORE_BITS], MAX_SCORE, total[:SCORE_BITS])

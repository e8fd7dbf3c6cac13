"""Learner: teaches the previous event's table rows what the next layer really selected."""

from typing import TYPE_CHECKING, Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..hw.config import UnitConfig, bits_for
from .cct import entry_layout, row_layout

MAX_CONFIDENCE = 3
NEW_CONFIDENCE = 2
"""Confidence of an entry that has just been replaced."""


class Learner(wiring.Component):
    """Updates one row for each member of the previous event, F being the current event's members.

    FETCH asks for a member, ADDRESS for its row, WAIT and READ wait for it, LOAD takes it, LOOKUP moves the
    confidences of `predictor_lanes` entries a cycle (in F: up; not in F: down; not in F at 0: marked), REPLACE
    walks F and gives each marked entry in index order the next expert that the row does not hold, then
    writes the row.
    Source: arXiv 2606.15453, Algorithm 3, with the order of replacement fixed.

    Latency: `busy` lasts at most `latency(previous_count, count)` cycles, from the cycle after `start`: for
    each row 6 + `max_top_k` / `predictor_lanes` cycles, and one for each expert of F walked: none if no entry
    is marked, else up to `count` and, as each of them is held by an entry or fills one, up to `max_top_k`
    (if the row names no expert twice). Throughput: one event at a time.

    Members
    -------
    start : In
        Pulse, while not `busy`. Counts, sets and memories must stay until it has ended.
    busy : Out
        Rows are left to be written; not at all if `previous_count` is 0.
    row_entries : In
        Entries of a row in use, 1 to `max_top_k`; those behind stay as they are.
    previous_count, count, experts : In
        Sizes of both sets, and the current set as a bitmap.
    member_index : Out, member_previous : Out, member : In
        Synchronous read of both sets, see `MemberSets`; `member` addresses the table in the same cycle.
    row : In
        The row, three cycles after its address.
    takes : Out
        `row` is the member's that is to be taught.
    write : Out, write_expert : Out, write_row : Out
        A taught row.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        self._steps = config.max_top_k // config.predictor_lanes
        count_bits = bits_for(config.max_experts + 1)
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "row_entries": In(bits_for(config.max_top_k + 1), init=config.max_top_k),
                "previous_count": In(count_bits),
                "count": In(count_bits),
                "experts": In(config.max_experts),
                "member_index": Out(config.expert_bits),
                "member_previous": Out(1),
                "member": In(config.expert_bits),
                "row": In(row_layout(config)),
                "takes": Out(1),
                "write": Out(1),
                "write_expert": Out(config.expert_bits),
                "write_row": Out(row_layout(config)),
            }
        )
        self._row_index = Signal(count_bits)
        self._walk_index = Signal(range(config.max_experts + 2))
        self._used_up = Signal()
        self._actual = Signal(config.expert_bits)
        self._marked = Signal(config.max_top_k)
        self._used = Signal(config.max_top_k)
        self._step = Signal(range(self._steps))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def latency(self, previous_count: int, count: int) -> int:
        """Return the most cycles that learning takes, for the sizes of the previous and the current event."""
        return previous_count * (6 + self._steps + min(count, self._config.max_top_k))

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        step = self._step
        m.d.comb += self.member_index.eq(self._walk_index)
        m.d.comb += self._used.eq(Cat(index < self.row_entries for index in range(self._config.max_top_k)))
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"):
                m.d.sync += self._row_index.eq(0)
                with m.If(self.start & (self.previous_count != 0)):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += [self.member_previous.eq(1), self.member_index.eq(self._row_index)]
                m.d.sync += [self._row_index.eq(self._row_index + 1), self._walk_index.eq(0)]
                m.next = "ADDRESS"
            with m.State("ADDRESS"):
                m.d.sync += self.write_expert.eq(self.member)
                m.next = "WAIT"
            with m.State("WAIT"):
                m.next = "READ"
            with m.State("READ"):
                m.d.sync += self._walk_index.eq(1)
                m.next = "LOAD"
            with m.State("LOAD"):
                m.d.comb += self.takes.eq(1)
                m.d.sync += [self.write_row.eq(self.row), self._actual.eq(self.member), step.eq(0)]
                m.next = "LOOKUP"
            with m.State("LOOKUP"):
                self._elaborate_lookup(m)
                m.d.sync += [step.eq(step + 1), self._used_up.eq(self.count == 0)]
                with m.If(step == self._steps - 1):
                    m.next = "REPLACE"
            with m.State("REPLACE"):
                self._elaborate_replace(m)
                with m.If(self.write):
                    m.next = "FETCH"
                    with m.If(self._row_index == self.previous_count):
                        m.next = "IDLE"
        return m

    def _elaborate_lookup(self, m):
        """Teach the lowest entries, and turn the row so that after all steps it stands as before."""
        lanes = self._config.predictor_lanes
        entry = entry_layout(self._config)
        taught, marks = [], []
        for lane in range(lanes):
            old = self.write_row[lane]
            new: Any = Signal(entry, name=f"taught_{lane}")
            is_actual = self.experts.bit_select(old.expert, 1)
            doubted = Mux(old.confidence == 0, 0, old.confidence - 1)
            trusted = Mux(old.confidence == MAX_CONFIDENCE, MAX_CONFIDENCE, old.confidence + 1)
            is_used = self._used.word_select(self._step, lanes)[lane]
            learnt = Mux(is_actual, trusted, doubted)
            m.d.comb += [new.expert.eq(old.expert), new.confidence.eq(Mux(is_used, learnt, old.confidence))]
            taught.append(new)
            marks.append(is_used & ~is_actual & (old.confidence == 0))
        row = self.write_row.as_value()
        m.d.sync += [
            row.eq(Cat(row[lanes * entry.size :], *taught)),
            self._marked.eq(Cat(self._marked[lanes:], *marks)),
        ]

    def _elaborate_replace(self, m):
        """Offer the row one expert of F a cycle; write it when no entry is marked or F is used up.

        The walk reads F two ahead: member n is in `_actual` while n + 1 is read and `_walk_index` is n + 1.
        """
        marked = self._marked
        is_held = Signal()
        replaced = Signal(self._config.max_top_k)
        row: Any = self.write_row
        entries = [row[index] for index in range(self._config.max_top_k)]
        holds = Cat(entry.expert == self._actual for entry in entries) & self._used
        m.d.comb += [
            self.member_index.eq(self._walk_index + 1),
            is_held.eq(holds != 0),
            replaced.eq(Mux(is_held, 0, marked & ~(marked - 1))),
            self.write.eq((marked == 0) | self._used_up),
        ]
        with m.If(~self.write):
            m.d.sync += [
                self._walk_index.eq(self._walk_index + 1),
                self._used_up.eq(self._walk_index >= self.count),
                self._actual.eq(self.member),
                marked.eq(marked & ~replaced),
            ]
            for index, entry in enumerate(entries):
                with m.If(replaced[index]):
                    m.d.sync += [entry.expert.eq(self._actual), entry.confidence.eq(NEW_CONFIDENCE)]

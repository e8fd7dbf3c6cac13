"""Row scan: walks the table rows of an event's members, in step with their arrival."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..hw.config import UnitConfig, bits_for
from .cct import entry_layout, row_layout


class RowScan(wiring.Component):
    """Presents the entries of the members' rows, `predictor_lanes` a cycle, to the score board.

    Stages: s0 asks for a member, s1 has it and asks for its row, s2 and s3 wait, s4 has the row and picks the
    lanes, s5 adds them up. The history row travels ahead: its layer is asked for in s1, it is loaded in s2.

    Latency: the entries of a member counted in cycle c, with the scan idle, are on `lanes` in the cycles from
    c + `latency` = 5 to c + 4 + `steps`; `idle` is 1 from the cycle after the last.
    Throughput: a row every `steps` = `max_top_k` / `predictor_lanes` cycles.

    Members
    -------
    open : In
        Pulse: start over with member 0.
    enable : In
        Rows are asked for. Constant from the cycle after `open`.
    count : In
        Members that can be read.
    member_index : Out
        The member whose row comes next; the table must be addressed with it a cycle later.
    row : In
        The row, four cycles after its member's index.
    takes : Out
        `row` is a member's, for the first time.
    load : Out
        Pulse in the second cycle after `open`: the history row, addressed in the first, goes to the scores.
    add : Out, lanes : Out
        Entries to add up.
    idle : Out
        All members counted so far are in the scores, and so is the history.
    """

    latency = 5

    def __init__(self, *, config: UnitConfig):
        self._config = config
        self.steps = config.max_top_k // config.predictor_lanes
        self._lanes_layout = data.ArrayLayout(entry_layout(config), config.predictor_lanes)
        super().__init__(
            {
                "open": In(1),
                "enable": In(1),
                "count": In(bits_for(config.max_experts + 1)),
                "member_index": Out(config.expert_bits),
                "row": In(row_layout(config)),
                "takes": Out(1),
                "load": Out(1),
                "add": Out(1),
                "lanes": Out(self._lanes_layout),
                "idle": Out(1),
            }
        )

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        s0_index = Signal.like(self.count)
        s0_step = Signal(range(self.steps))
        s0_valid, s1_load = Signal(), Signal()
        waits = self.latency - 1
        valid = Signal(waits)
        steps = [Signal.like(s0_step, name=f"s{stage}_step") for stage in range(1, waits + 1)]
        m.d.comb += [
            s0_valid.eq(self.enable & (s0_index != self.count)),
            self.member_index.eq(s0_index),
            self.takes.eq(valid[-1] & (steps[-1] == 0)),
            self.idle.eq(~(s0_valid | valid.any() | self.add | s1_load | self.load)),
        ]
        with m.If(s0_valid):
            with m.If(s0_step == self.steps - 1):
                m.d.sync += [s0_step.eq(0), s0_index.eq(s0_index + 1)]
            with m.Else():
                m.d.sync += s0_step.eq(s0_step + 1)
        with m.If(self.open):
            m.d.sync += [s0_index.eq(0), s0_step.eq(0)]
        entries = self.row.as_value().word_select(steps[-1], self._lanes_layout.size)
        m.d.sync += [
            valid.eq(Cat(s0_valid, valid)),
            self.add.eq(valid[-1]),
            *(after.eq(before) for before, after in pairwise([s0_step, *steps])),
            s1_load.eq(self.open),
            self.load.eq(s1_load),
            self.lanes.as_value().eq(entries),
        ]
        return m

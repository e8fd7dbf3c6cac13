"""Weight engine: adds up the rows of a prediction, and teaches them once the true set is known."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..hw.config import SCORE_BITS, UnitConfig, bits_for
from ..hw.weight_rules import CENTRE
from .weight_layout import group_bits_of, lanes_of, rows_of, sum_bits_of
from .weight_rows import row_place_layout
from .weight_table import word_address_layout


class WeightEngine(wiring.Component):
    """Walks the rows of a list, group by group of lanes: a memory word a cycle, and a group's total in one place.

    Sums lie in one small memory, a bank for each prediction that is coming or not learnt yet, a word for each group.
    Stages: s0 asks for a row's name; s1 has it and addresses the table; s2 asks for the group's sums; s3 has them and
    decides what each lane would be taught; s4 has the weights: adds them up, or teaches them; s5 writes the sums, and
    offers them as scores, or writes the weights.

    Latency: a run over r rows keeps `busy` for `latency(r)` cycles from the cycle after `start`: max(r, 1) for each
    group of `n_experts`, and 5. The last word of scores is on `scores` in the last of them. Throughput: a word a cycle.

    Members
    -------
    start : In
        Pulse, while not `busy`: begin. All inputs below stay until it ends.
    learn : In
        Teach the rows of a list (at least one), else sum them up.
    first, end : In
        Rows `first` to `end` - 1 of the list; when summing there may be none.
    fresh : In
        Sums begin at the rules' offset, else at what the bank holds.
    final : In
        The sums go out as scores.
    layer : In, n_experts : In, actual : In
        Target layer of the rows, experts in use, and those selected (when learning), as a bitmap.
    bank : In
        Where the sums lie.
    row_index : Out, row : In
        Synchronous read of the list.
    read_address : Out, word : In, write : Out, write_address : Out, write_word : Out
        To the table.
    takes : Out
        `word` is one of the list's rows.
    scored : Out, group : Out, scores : Out
        Candidate scores of a group's lanes.
    busy : Out
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        self._lanes = lanes_of(config)
        self._sums_layout = data.ArrayLayout(signed(sum_bits_of(config)), self._lanes)
        count_bits = bits_for(rows_of(config) + 1)
        address: Any = word_address_layout(config)
        super().__init__(
            {
                "start": In(1),
                "learn": In(1),
                "first": In(count_bits),
                "end": In(count_bits),
                "fresh": In(1),
                "final": In(1),
                "layer": In(config.layer_bits),
                "n_experts": In(bits_for(config.max_experts + 1)),
                "actual": In(config.max_experts),
                "bank": In(bits_for(config.weight_ahead + 1)),
                "row_index": Out(bits_for(rows_of(config))),
                "row": In(row_place_layout(config)),
                "read_address": Out(address),
                "word": In(self._lanes * config.weight_bits),
                "takes": Out(1),
                "write": Out(1),
                "write_address": Out(address),
                "write_word": Out(self._lanes * config.weight_bits),
                "scored": Out(1),
                "group": Out(group_bits_of(config)),
                "scores": Out(data.ArrayLayout(SCORE_BITS, self._lanes)),
                "busy": Out(1),
            }
        )
        self._tag = data.StructLayout({"valid": 1, "first": 1, "last": 1, "none": 1, "group": group_bits_of(config)})

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def groups(self, n_experts: int) -> int:
        """Return the memory words of a row that are in use."""
        return -(-n_experts // self._lanes)

    def latency(self, rows: int, n_experts: int) -> int:
        """Return the cycles that a run over `rows` rows takes."""
        return max(rows, 1) * self.groups(n_experts) + 5

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        tags: list[Any] = [Signal(self._tag, name=f"s{stage}_tag") for stage in range(6)]
        names: list[Any] = [Signal(row_place_layout(self._config), name=f"s{stage}_row") for stage in range(1, 6)]
        base: Any = Signal(self._sums_layout)
        steps = Signal(data.ArrayLayout(2, self._lanes))
        m.d.sync += [after.eq(before) for before, after in pairwise(tags)]
        m.d.sync += [after.eq(before) for before, after in pairwise(names)]
        m.d.comb += self.takes.eq(tags[4].valid & ~tags[4].none)
        m.d.comb += [names[0].eq(self.row), self.busy.eq(Cat(tag.valid for tag in tags).any())]
        self._elaborate_issue(m, tags[0])
        self._address(m, self.read_address, names[0], tags[1])
        self._address(m, self.write_address, names[4], tags[5])
        sums = Signal(self._sums_layout)
        self._elaborate_sums(m, tags, base, steps, sums)
        self._elaborate_total(m, tags, base, sums)
        self._elaborate_teaching(m, tags, steps)
        return m

    def _elaborate_issue(self, m, tag):
        """s0: rows within groups; without a row, one turn for each group all the same."""
        row = Signal.like(self.first)
        is_last = Signal()
        last_group = (self.n_experts - 1) >> (self._lanes - 1).bit_length()
        m.d.comb += [self.row_index.eq(row), is_last.eq((row + 1 == self.end) | tag.none), tag.last.eq(is_last)]
        m.d.comb += [tag.none.eq(self.first == self.end), tag.first.eq(row == self.first)]
        with m.If(self.start):
            m.d.sync += [tag.valid.eq(1), tag.group.eq(0), row.eq(self.first)]
        with m.Elif(tag.valid):
            m.d.sync += row.eq(row + 1)
            with m.If(is_last):
                m.d.sync += [row.eq(self.first), tag.group.eq(tag.group + 1)]
                with m.If(tag.group == last_group):
                    m.d.sync += tag.valid.eq(0)

    def _address(self, m, address, row, tag):
        m.d.comb += [address.expert.eq(row.expert), address.source.eq(row.source), address.layer.eq(self.layer)]
        if "group" in word_address_layout(self._config).members:
            m.d.comb += address.group.eq(tag.group)

    def _elaborate_sums(self, m, tags, base, steps, sums):
        """s2 and s3: read a group's sums, and decide from them what to teach its lanes; s5 writes sums."""
        config, rules = self._config, self._config.weight_rules
        group_bits = group_bits_of(config)
        depth = (1 << len(self.bank)) << group_bits
        m.submodules.stored = stored = Memory(shape=self._sums_layout, depth=depth, init=[])
        read: Any = stored.read_port()
        write: Any = stored.write_port()
        m.d.comb += [
            read.addr.eq(Cat(tags[2].group, self.bank)),
            write.addr.eq(Cat(tags[5].group, self.bank)),
            write.data.eq(sums),
            write.en.eq(tags[5].valid & tags[5].last & ~self.learn),
        ]
        m.d.sync += base.eq(read.data)
        selected = self.actual.word_select(tags[3].group, self._lanes)
        lane_bits = (self._lanes - 1).bit_length()
        for lane in range(self._lanes):
            total: Any = read.data[lane]
            expert = Cat(Const(lane, lane_bits), tags[3].group) if lane_bits else tags[3].group
            gains = selected[lane] & (total < rules.margin)
            loses = ~selected[lane] & (total >= -rules.margin)
            m.d.sync += steps[lane].eq(Mux(expert < self.n_experts, Cat(gains | loses, loses), 0))

    def _elaborate_total(self, m, tags, base, sums):
        """s4: add the lanes to the group's sums; s5: the sums as scores."""
        rules, bits = self._config.weight_rules, self._config.weight_bits
        tag = tags[4]
        for lane in range(self._lanes):
            weight = Mux(tag.none, 0, self.word[lane * bits : (lane + 1) * bits]).as_signed()
            begin = Mux(self.fresh, Const(rules.offset, signed(sum_bits_of(self._config))), base[lane])
            with m.If(tag.valid):
                m.d.sync += sums[lane].eq(Mux(tag.first, begin, sums[lane]) + weight)
            score = Signal(signed(sum_bits_of(self._config) + 1), name=f"score_{lane}")
            m.d.comb += [
                score.eq((sums[lane] >> rules.score_shift) + CENTRE),
                self.scores[lane].eq(Mux(score < 0, 0, Mux(score >> SCORE_BITS != 0, (1 << SCORE_BITS) - 1, score))),
            ]
        m.d.comb += [self.scored.eq(tags[5].valid & tags[5].last & self.final), self.group.eq(tags[5].group)]

    def _elaborate_teaching(self, m, tags, steps):
        """s4: move each lane a step, within the limits; s5: the table writes."""
        rules, bits = self._config.weight_rules, self._config.weight_bits
        m.d.comb += self.write.eq(tags[5].valid & self.learn)
        for lane in range(self._lanes):
            old = self.word[lane * bits : (lane + 1) * bits]
            gains, loses = steps[lane][0] & ~steps[lane][1], steps[lane][1]
            held = (gains & (old.as_signed() == rules.highest)) | (loses & (old.as_signed() == rules.lowest))
            new = (old.as_signed() + steps[lane].as_signed())[:bits]
            m.d.sync += self.write_word[lane * bits : (lane + 1) * bits].eq(Mux(held, old, new))

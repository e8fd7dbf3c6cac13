"""ST-MoE's predictor in hardware: cross-layer correlation table plus history table."""

from typing import TYPE_CHECKING, Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring

from ..hw.config import EVENT_BITS, UnitConfig
from ..hw.records import Source
from .cct import CorrelationTable
from .history import HistoryTable
from .hold import HoldTimer
from .interface import PredictorSignature
from .learner import Learner
from .members import MemberSets
from .paged_cct import PagedCorrelationTable
from .ranking import Ranking
from .row_scan import RowScan
from .score_board import ScoreBoard


class StMoePredictor(wiring.Component):
    """Predicts the next layer's experts from this layer's (CCT) and from the previous token's (HT).

    Bit for bit the twin of `sim/predictors/st_moe.py`; source: arXiv 2606.15453, Algorithms 1-3. Rows are
    added up while members arrive; with the last beat's row in the scores the ranked emission and the learning
    start side by side. An event without members predicts from history alone and teaches rows an empty set.

    Latency, for m members that arrive one a cycle and S = `max_top_k` / `predictor_lanes`: the ranking starts
    `prediction_latency(m)` = m (S - 1) + 7 cycles after the last beat (m >= 1; 3 without a member), and then
    takes what `Ranking` says: 5 cycles to the first candidate if the highest score is all ones in binary.
    With `hold` it starts `hold_cycles` + 1 cycles after its event's `event_end`, or as above if that is later.
    The next event's first beat is accepted at most `event_latency(r, m)` cycles after the last beat, r members
    being learnt from; until then it waits. With `table_window` it is one cycle more, and it waits besides until
    its tables are on chip; all else is the same. Throughput: one beat a cycle within an event.

    Parameters: `config`; `wrap`: the last layer predicts layer 0 of the next step, and the pair learns;
    `hold`: predictions wait for `hold_cycles`. Members: see `PredictorSignature`.
    """

    def __init__(self, *, config: UnitConfig, wrap: bool = True, hold: bool = False):
        self._config = config
        self._wrap = wrap
        self._hold = hold
        super().__init__(PredictorSignature(config))
        self._table = PagedCorrelationTable(config=config) if config.table_window else CorrelationTable(config=config)
        self._history = HistoryTable(config=config)
        self._members = MemberSets(config=config)
        self._scan = RowScan(config=config)
        self._scores = ScoreBoard(config=config)
        self._ranking = Ranking(config=config)
        self._learner = Learner(config=config)
        self._event = Signal(EVENT_BITS)
        self._layer = Signal(config.layer_bits)
        self._target_layer = Signal(config.layer_bits)
        self._previous_layer = Signal(config.layer_bits)
        self._predicts = Signal()
        self._do_beat = Signal()
        self._do_first = Signal()
        self._predicted = Signal()
        self._waiting = Signal()
        self._timing = Signal()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def prediction_latency(self, members: int) -> int:
        """Return the cycles from the last beat to the start of the ranking, for beats one a cycle."""
        return members * (self._scan.steps - 1) + 7 if members else 3

    def event_latency(self, previous: int, members: int) -> int:
        """Return the most cycles from the last beat to the first that can take a new event's beat."""
        return self.prediction_latency(members) + self._learner.latency(previous, members) + 2

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        m.submodules.table = self._table
        m.submodules.history = self._history
        m.submodules.members = self._members
        m.submodules.scan = self._scan
        m.submodules.scores = self._scores
        m.submodules.ranking = self._ranking
        m.submodules.learner = self._learner
        self._elaborate_event(m)
        if self._config.table_window:
            self._elaborate_paging(m)
        self._elaborate_control(m)
        self._elaborate_prediction(m)
        self._elaborate_learning(m)
        self._elaborate_emission(m)
        if self._config.parity:
            taken = self._scan.takes | self._learner.takes
            history = self._scan.load & self._history.wrong
            m.d.comb += self.parity_error.eq((taken & self._table.wrong) | history | self._table.port_wrong)
        return m

    def _next_layer(self, layer):
        """Return the layer after `layer` on the ring of `n_layers`."""
        return Mux(layer + 1 == self.n_layers, 0, layer + 1)

    def _elaborate_event(self, m):
        """Take over an event's header with its first beat, and void what belongs to another token."""
        beat, members = self.event.payload, self._members
        next_layer = self._next_layer(beat.layer)
        follows = self._follows()
        m.d.comb += [
            self._do_beat.eq(self.event.valid & self.event.ready),
            members.open.eq(self._do_first),
            members.add.eq(self._do_beat & beat.member),
            members.expert.eq(beat.expert),
            members.forget.eq(self._do_first & (beat.sequence_start | ~follows)),
            self._history.clear.eq(self._do_first & beat.sequence_start),
        ]
        with m.If(self._do_first):
            m.d.sync += [
                self._event.eq(beat.event),
                self._layer.eq(beat.layer),
                self._target_layer.eq(next_layer),
                self._predicts.eq(self.enable & (True if self._wrap else next_layer != 0)),
            ]

    def _follows(self):
        """Return whether the event that begins learns from the one before."""
        layer = self.event.payload.layer
        follows = layer == self._next_layer(self._previous_layer)
        return follows if self._wrap else follows & (layer != 0)

    def _elaborate_paging(self, m):
        """Let an event wait for its tables; without tables in use it predicts and teaches nothing."""
        table = self._table
        with m.If(self._do_first & ~self.page_control.enable):
            m.d.comb += self._members.forget.eq(1)
            m.d.sync += self._predicts.eq(0)
        wiring.connect(m, table.pages, wiring.flipped(self.pages))
        m.d.comb += [
            table.control.eq(self.page_control),
            self.page_pulses.eq(table.pulses),
            table.n_layers.eq(self.n_layers),
            table.event_waits.eq(self.event.valid),
            table.event_layer.eq(self.event.payload.layer),
            table.event_follows.eq(self._follows()),
            table.previous_layer.eq(self._previous_layer),
        ]

    def _elaborate_control(self, m):
        """Collect beats, finish the prediction, learn; only then the tables are free for the next event."""
        beat = self.event.payload
        tables_idle = Signal()
        busy = ~tables_idle | self._waiting | self._timing | self._ranking.busy
        if self._config.table_window:
            busy |= self._table.busy
        m.d.comb += [
            self.wait.eq(self.event.valid & ~self.event.ready),
            self.busy.eq(busy),
            self._table.unlocked.eq(tables_idle),
        ]
        with m.FSM() as fsm:
            m.d.comb += tables_idle.eq(fsm.ongoing("IDLE"))
            with m.State("IDLE"):
                if self._config.table_window:
                    ready = self._table.event_ready
                    m.d.comb += [self.event.ready.eq(ready), self._do_first.eq(self.event.valid & ready)]
                else:
                    m.d.comb += [self.event.ready.eq(1), self._do_first.eq(self.event.valid)]
                with m.If(self._do_beat):
                    m.next = "COLLECT"
                    with m.If(beat.last):
                        m.next = "PREDICT"
            with m.State("COLLECT"):
                m.d.comb += self.event.ready.eq(1)
                with m.If(self._do_beat & beat.last):
                    m.next = "PREDICT"
            with m.State("PREDICT"):
                m.d.comb += self._learner.start.eq(self._scan.idle)
                with m.If(self._scan.idle):
                    m.next = "LEARN"
            with m.State("LEARN"):
                m.d.comb += self._members.swap.eq(~self._learner.busy)
                with m.If(~self._learner.busy):
                    m.d.sync += self._previous_layer.eq(self._layer)
                    m.next = "IDLE"
        m.d.comb += self._predicted.eq(self._learner.start & self._predicts)

    def _elaborate_prediction(self, m):
        """Rows of the members, and the next layer's history, go to the scores."""
        table, history, members, scan, scores = (
            self._table,
            self._history,
            self._members,
            self._scan,
            self._scores,
        )
        m.d.comb += [
            scan.open.eq(self._do_first),
            scan.enable.eq(self._predicts),
            scan.count.eq(members.count),
            scan.row.eq(table.row),
            history.read_layer.eq(self._target_layer),
            scores.load.eq(scan.load),
            scores.history.eq(history.experts),
            scores.add.eq(scan.add),
            scores.lanes.eq(scan.lanes),
        ]

    def _elaborate_learning(self, m):
        """The previous event's rows and this layer's history learn this event's members."""
        table, history, members, learner = self._table, self._history, self._members, self._learner
        wiring.connect(m, wiring.flipped(self.table), table.table)
        m.d.comb += [
            learner.row_entries.eq(self.row_entries),
            learner.previous_count.eq(members.previous_count),
            learner.count.eq(members.count),
            learner.experts.eq(members.experts),
            learner.member.eq(members.read_expert),
            learner.row.eq(table.row),
            members.read_index.eq(Mux(learner.busy, learner.member_index, self._scan.member_index)),
            members.read_previous.eq(learner.member_previous),
            table.read_layer.eq(Mux(learner.busy, self._previous_layer, self._layer)),
            table.read_expert.eq(members.read_expert),
            table.write.eq(learner.write),
            table.write_layer.eq(self._previous_layer),
            table.write_expert.eq(learner.write_expert),
            table.write_row.eq(learner.write_row),
            history.write.eq(members.swap),
            history.write_layer.eq(self._layer),
            history.write_experts.eq(members.experts),
        ]

    def _elaborate_emission(self, m):
        """Start the ranking once the prediction is made and released; a new event ends it."""
        ranking, scores, candidate = self._ranking, self._scores, self.candidate
        released = Signal(init=1)
        if self._hold:
            m.submodules.hold = hold = HoldTimer()
            m.d.comb += [
                hold.event_end.eq(self.event_end),
                hold.hold_cycles.eq(self.hold_cycles),
                hold.event.eq(self._event),
                released.eq(hold.released),
                self._timing.eq(hold.running),
            ]
        m.d.comb += [
            ranking.start.eq((self._predicted | self._waiting) & released),
            ranking.cancel.eq(self._do_first),
            ranking.ceiling.eq(scores.ceiling),
            ranking.min_score.eq(self.min_score),
            ranking.n_experts.eq(self.n_experts),
            scores.level.eq(ranking.level),
            ranking.matched.eq(scores.matched),
            candidate.valid.eq(ranking.ranked.valid),
            ranking.ranked.ready.eq(candidate.ready),
            candidate.payload.target.eq(self._event + 1),
            candidate.payload.layer.eq(self._target_layer),
            candidate.payload.expert.eq(ranking.ranked.payload.expert),
            candidate.payload.score.eq(ranking.ranked.payload.score),
            candidate.payload.source.eq(Source.PREDICTOR),
            candidate.payload.last.eq(ranking.ranked.payload.last),
        ]
        m.d.sync += self._waiting.eq((self._predicted | self._waiting) & ~released & ~self._do_first)

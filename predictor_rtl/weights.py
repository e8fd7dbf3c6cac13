"""The weight predictor in hardware: an online integer perceptron over several sets of experts selected before."""

from typing import TYPE_CHECKING, Any

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from ..hw.config import EVENT_BITS, UnitConfig
from ..hw.interfaces import WeightPortSignature
from ..hw.records import Source
from .interface import PredictorSignature
from .row_cache import RowCache
from .selection import Selection
from .weight_context import WeightContext
from .weight_engine import WeightEngine
from .weight_rows import RowList
from .weight_table import WeightTable


class WeightsPredictor(wiring.Component):
    """Predicts a coming layer's experts from weight tables, one for each source of context.

    Bit for bit the twin of `sim/predictors/weights.py`. Between events the rows of the older sources are listed and
    summed for the event after the coming one; with the last beat only the rows of the event's own members are left.
    If the event is not the one that was prepared for (another layer, a sequence start, another geometry, tables
    written meanwhile) all rows are listed and summed after its last beat. Then the ranked emission and the learning
    start side by side; learning teaches the rows that were read when this event was predicted, `weight_ahead` events
    ago.

    Latency, for m members and G = groups of `weight_lanes` in `n_experts`: the first candidate is offered
    `prediction_latency(m, n_experts)` = max(m, 1) G + 13 cycles after the last beat, and one more every 5 cycles;
    after `surprise_latency(...)` if the event was not prepared for. The next event's first beat is accepted at most
    `event_latency(...)` cycles after the last beat; until then it waits. Throughput: one beat a cycle within an event.
    With `weight_ways` each run over r rows (of m members, to learn from, to prepare for) takes 2 r + 2 cycles more if
    they are on chip, the first candidate comes 2 m + 1 later; missing rows take what `RowCache` says besides.

    Members: see `PredictorSignature`; `table` is not used. `weights` is the port of the weight tables.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        members = dict(PredictorSignature(config).members)
        super().__init__({**members, "weights": In(WeightPortSignature(config))})
        self._tables = RowCache(config=config) if config.weight_ways else WeightTable(config=config)
        self._context = WeightContext(config=config)
        self._rows = RowList(config=config)
        self._engine = WeightEngine(config=config)
        self._selection = Selection(config=config)
        self._event = Signal(EVENT_BITS)
        self._candidate_layer = Signal(config.layer_bits)
        self._predicts = Signal()
        self._learns = Signal()
        self._actual = Signal(config.max_experts)
        self._current = Signal(config.layer_bits)
        self._target = Signal(config.layer_bits)
        ahead = range(config.weight_ahead + 1)
        self._predicted_layer = Array(Signal(config.layer_bits, name=f"predicted_layer_{bank}") for bank in ahead)
        self._is_predicted = Array(Signal(name=f"is_predicted_{bank}") for bank in ahead)
        self._is_prepared = Signal()
        self._prepared_geometry = Signal(len(self.n_layers) + len(self.n_experts))
        self._n_summed = Signal.like(self._rows.count)
        self._do_beat = Signal()
        self._do_first = Signal()
        self._do_swap = Signal()
        self._is_expected = Signal()
        self._in_use = Signal()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def prediction_latency(self, members: int, n_experts: int) -> int:
        """Return the cycles from the last beat to the first candidate of an event that was prepared for.

        With `weight_ways` its rows are on chip, here and below.
        """
        looking = RowCache.lead(members) if self._config.weight_ways else 0
        return looking + self._engine.latency(members, n_experts) + 2 + Selection.latency

    def surprise_latency(self, members: int, counts: list[int], n_experts: int) -> int:
        """Return the same for one that was not, with older sources of `counts` members."""
        listing = self._context.latency(counts) + 2
        return listing + self.prediction_latency(members + sum(counts), n_experts)

    def event_latency(self, members: int, taught: int, counts: list[int], n_experts: int) -> int:
        """Return the cycles from the last beat to the first that can take a new event's beat, if prepared for.

        `taught` rows are learnt from, and the older sources of the event after the coming one have `counts` members.
        """
        engine = self._engine
        summing = engine.latency(members, n_experts) + 2
        learning = engine.latency(taught, n_experts) + 2 if taught else 0
        preparing = self._context.latency(counts) + engine.latency(sum(counts), n_experts) + 6
        runs = (members, *([taught] if taught else []), sum(counts))
        looking = sum(RowCache.lead(rows) + 1 for rows in runs) if self._config.weight_ways else 0
        return summing + learning + preparing + looking

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        m.submodules.tables = self._tables
        m.submodules.context = self._context
        m.submodules.rows = self._rows
        m.submodules.engine = self._engine
        m.submodules.selection = self._selection
        self._elaborate_event(m)
        self._elaborate_control(m)
        self._elaborate_rows(m)
        self._elaborate_tables(m)
        self._elaborate_emission(m)
        if self._config.weight_ways:
            self._elaborate_cache(m)
        if self._config.parity:
            taken = self._engine.takes & self._tables.wrong
            m.d.comb += self.parity_error.eq(taken | self._tables.port_wrong)
        return m

    def _next_layer(self, layer):
        """Return the layer after `layer` on the ring of `n_layers`."""
        return Mux(layer + 1 == self.n_layers, 0, layer + 1)

    def _elaborate_event(self, m):
        """Take over an event's header with its first beat, and see whether it is the one prepared for."""
        beat, context = self.event.payload, self._context
        geometry = Cat(self.n_layers, self.n_experts)
        prepared = self._is_prepared & self._in_use if self._config.weight_ways else self._is_prepared
        m.d.comb += [
            self._do_beat.eq(self.event.valid & self.event.ready),
            self._is_expected.eq(
                prepared & (beat.layer == self._current) & ~beat.sequence_start & (geometry == self._prepared_geometry)
            ),
            context.clear.eq(self._do_first & beat.sequence_start),
            context.store.eq(self._do_beat),
            context.first.eq(self._do_first),
            context.add.eq(beat.member),
            context.layer.eq(beat.layer),
            context.expert.eq(beat.expert),
        ]
        for expert in range(self._config.max_experts):
            joins = self._do_beat & beat.member & (beat.expert == expert)
            m.d.sync += self._actual[expert].eq((self._actual[expert] & ~self._do_first) | joins)
        target = beat.layer
        for _ in range(self._config.weight_ahead):
            target = self._next_layer(target)
        oldest = self._rows.oldest_bank
        predicts_this = self._is_predicted[oldest] & (self._predicted_layer[oldest] == beat.layer)
        with m.If(self._do_first & beat.sequence_start):
            m.d.sync += [is_predicted.eq(0) for is_predicted in self._is_predicted]
        with m.If(self._do_first):
            m.d.sync += [
                self._event.eq(beat.event),
                self._current.eq(beat.layer),
                self._target.eq(target),
                self._candidate_layer.eq(target),
                self._predicts.eq(self.enable),
                self._learns.eq(predicts_this & ~beat.sequence_start),
            ]
            with m.If(~self._is_expected):
                m.d.sync += [self._n_summed.eq(0), self._is_prepared.eq(0)]

    def _elaborate_control(self, m):
        """Collect, sum what is left, learn, and prepare for the next event; only then is its first beat taken."""
        context, engine, tables = self._context, self._engine, self._tables
        runner: Any = tables if self._config.weight_ways else engine
        idle, listing, learning, preparing = Signal(), Signal(), Signal(), Signal()
        self._preparing = preparing
        m.d.comb += [
            self.wait.eq(self.event.valid & ~self.event.ready),
            self.busy.eq(~idle | self._selection.busy | tables.port_busy),
            tables.unlocked.eq(idle & ~self.event.valid),
            context.start.eq(listing),
            self._rows.clear.eq((self._do_first & ~self._is_expected) | (listing & preparing)),
            engine.learn.eq(learning),
            engine.final.eq(~preparing & ~learning),
        ]
        with m.FSM() as fsm:
            m.d.comb += [
                idle.eq(fsm.ongoing("IDLE")),
                listing.eq(fsm.ongoing("LIST")),
                learning.eq(fsm.ongoing("START_LEARNING") | fsm.ongoing("LEARN")),
                self._do_swap.eq(fsm.ongoing("SWAP")),
            ]
            with m.State("IDLE"):
                m.d.comb += [self.event.ready.eq(~tables.port_busy), self._do_first.eq(self._do_beat)]
                with m.If(self._do_beat):
                    m.next = "COLLECT"
                    with m.If(self.event.payload.last):
                        m.next = "START_SUMMING"
                        with m.If(~self._is_expected):
                            m.next = "LIST"
                        self._pass_by(m)
            with m.State("COLLECT"):
                m.d.comb += self.event.ready.eq(1)
                with m.If(self._do_beat & self.event.payload.last):
                    m.next = "START_SUMMING"
                    with m.If(~self._is_prepared):
                        m.next = "LIST"
                    self._pass_by(m)
            with m.State("LIST"):
                m.next = "LISTING"
            with m.State("LISTING"):
                with m.If(~context.busy):
                    m.next = "START_SUMMING"
            with m.State("START_SUMMING"):
                m.d.comb += runner.start.eq(1)
                m.next = "SUM"
            with m.State("SUM"), m.If(~runner.busy):
                with m.If(preparing):
                    m.d.sync += [preparing.eq(0), self._is_prepared.eq(1), self._n_summed.eq(self._rows.count)]
                    m.next = "IDLE"
                with m.Else():
                    m.d.comb += self._selection.start.eq(self._predicts)
                    m.next = "SWAP"
                    with m.If(self._learns & (self._rows.oldest_count != 0)):
                        m.next = "START_LEARNING"
            with m.State("START_LEARNING"):
                m.d.comb += runner.start.eq(1)
                m.next = "LEARN"
            with m.State("LEARN"):
                with m.If(~runner.busy):
                    m.next = "SWAP"
            with m.State("SWAP"):
                m.d.sync += preparing.eq(1)
                m.next = "LIST"
        with m.If(self._do_swap | (tables.port.done & tables.port.write)):
            m.d.sync += [self._is_prepared.eq(0), self._n_summed.eq(0)]

    def _pass_by(self, m):
        """Let an event go if the tables are in memory and not in use: nothing is predicted and nothing taught."""
        if self._config.weight_ways:
            with m.If(~self._in_use):
                m.next = "IDLE"

    def _elaborate_rows(self, m):
        """List the event's members as they come and the rows of older sources; a swap moves everything one event on."""
        rows, context, engine, beat = self._rows, self._context, self._engine, self.event.payload
        own = self._config.weight_sources.index(self._config.weight_rules.own)
        m.d.comb += [
            context.target.eq(self._target),
            context.current.eq(self._current),
            context.n_layers.eq(self.n_layers),
            rows.add.eq((self._do_beat & beat.member) | context.row_valid),
            rows.row.expert.eq(Mux(context.row_valid, context.row.expert, beat.expert)),
            rows.row.source.eq(Mux(context.row_valid, context.row.source, own)),
            rows.swap.eq(self._do_swap),
            rows.read_index.eq(engine.row_index),
            rows.read_oldest.eq(engine.learn),
            engine.bank.eq(Mux(engine.learn, rows.oldest_bank, rows.bank)),
        ]
        with m.If(self._do_swap):
            m.d.sync += [
                self._is_predicted[rows.bank].eq(1),
                self._predicted_layer[rows.bank].eq(self._target),
                self._current.eq(self._next_layer(self._current)),
                self._target.eq(self._next_layer(self._target)),
                self._prepared_geometry.eq(Cat(self.n_layers, self.n_experts)),
            ]

    def _elaborate_tables(self, m):
        """Connect the engine with rows and tables."""
        rows, engine, tables = self._rows, self._engine, self._tables
        wiring.connect(m, wiring.flipped(self.weights), tables.port)
        m.d.comb += [
            self.table.ready.eq(1),
            engine.first.eq(Mux(engine.learn, 0, self._n_summed)),
            engine.end.eq(Mux(engine.learn, rows.oldest_count, rows.count)),
            engine.fresh.eq(~self._is_prepared),
            engine.layer.eq(Mux(engine.learn, self._current, self._target)),
            engine.n_experts.eq(self.n_experts),
            engine.actual.eq(self._actual),
            engine.row.eq(rows.read_row),
            engine.word.eq(tables.word),
            tables.read_address.eq(engine.read_address),
            tables.write.eq(engine.write),
            tables.write_address.eq(engine.write_address),
            tables.write_word.eq(engine.write_word),
        ]

    def _elaborate_emission(self, m):
        """Register the scores, which are slow to leave the engine, and rank them; a new event ends it."""
        selection, engine, candidate = self._selection, self._engine, self.candidate
        ranked = selection.ranked
        for name in ("scored", "group", "scores"):
            given = Signal.like(getattr(engine, name), name=f"ranking_{name}")
            m.d.sync += given.eq(getattr(engine, name))
            m.d.comb += getattr(selection, name).eq(given)
        m.d.comb += [
            selection.cancel.eq(self._do_first),
            selection.min_score.eq(self.min_score),
            selection.n_experts.eq(self.n_experts),
            candidate.valid.eq(ranked.valid),
            ranked.ready.eq(candidate.ready),
            candidate.payload.target.eq(self._event + self._config.weight_ahead),
            candidate.payload.layer.eq(self._candidate_layer),
            candidate.payload.expert.eq(ranked.payload.expert),
            candidate.payload.score.eq(ranked.payload.score),
            candidate.payload.source.eq(Source.PREDICTOR),
            candidate.payload.last.eq(ranked.payload.last),
        ]

    # Tables in memory

    def _elaborate_cache(self, m):
        """Let the cache bring the rows of each run, and have the engine run over those that are there."""
        tables, engine, rows = self._tables, self._engine, self._rows
        in_use = Signal()
        wiring.connect(m, tables.pages, wiring.flipped(self.pages))
        m.d.comb += [
            tables.control.eq(self.page_control),
            tables.first.eq(Mux(engine.learn, 0, self._n_summed)),
            tables.end.eq(Mux(engine.learn, rows.oldest_count, rows.count)),
            tables.layer.eq(engine.layer),
            tables.learn.eq(engine.learn),
            tables.waits.eq(self.wait | (tables.busy & ~self._preparing & ~engine.learn)),
            tables.row.eq(rows.read_row),
            tables.engine_busy.eq(engine.busy),
            tables.engine_index.eq(engine.row_index),
            rows.read_index.eq(tables.list_index),
            engine.row.eq(tables.place),
            engine.start.eq(tables.part),
            engine.first.eq(tables.part_first),
            engine.end.eq(tables.part_end),
            engine.fresh.eq(~self._is_prepared & tables.is_first),
            engine.final.eq(~self._preparing & ~engine.learn & tables.is_last),
            self.page_pulses.eq(tables.pulses),
            self._in_use.eq(Mux(self._do_first, self.page_control.enable, in_use)),
        ]
        m.d.sync += in_use.eq(self._in_use)
        with m.If(tables.sweeps):
            m.d.comb += self.busy.eq(1)
        with m.If(tables.swept):
            m.d.sync += [self._is_prepared.eq(0), self._n_summed.eq(0)]
        with m.If(self._do_first & ~self._in_use):
            m.d.sync += [
                self._predicts.eq(0),
                *(is_predicted.eq(0) for is_predicted in self._is_predicted),
            ]

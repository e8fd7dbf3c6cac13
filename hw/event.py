"""Event intake: collects router beats into an event and passes its members on to the predictors, live."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from .config import EVENT_BITS, SCORE_BITS, UnitConfig, bits_for
from .interfaces import event_stream, member_layout, route_layout
from .late_queue import LateQueue
from .watchdog import TIMEOUT_BITS, Watchdog


class EventIntake(wiring.Component):
    """Collects one MoE layer's router beats into an event of up to `max_experts` distinct experts.

    A token contributes its first top-k beats; an expert that an earlier token selected merges. A faulty beat
    (expert or layer out of range, another layer than the event's, an expert that the
    token has named before) is dropped, but its `token_last` and `last` count. Every valid beat is
    remembered for the duplicate check, also those beyond top-k, which are dropped without a fault.

    Latency: `closed` and the header are valid `latency` = 1 cycle after the last beat is taken, and a member
    comes out of `event` `event_latency` = 2 cycles after its beat. Throughput: 1 beat a cycle. One cycle more
    per step, for `apply`. An event whose beats stay away for `timeout` cycles closes as with `last`, a cycle or,
    while predictors hold `event` up, another `timeout` later. At most one beat more than `max_experts`, a whole
    event, waits for the predictors; while they hold up more, `route` stalls. Closed takes no beats: the cycle after
    `event_end` can take the next event's first.

    Members
    -------
    route : In(stream)
        Router beats; at most one a cycle is taken, none from event close to `event_end`.
    topk_layer : Out, topk_value : In
        Combinational look-up of a layer's live top-k, 0 to `max_top_k`; constant while an event of it is open.
    n_layers, n_experts : In
        Live geometry, at most the generated one.
    apply : Out
        Pulse in the cycle before a layer 0 event's first beat can be taken: new settings must hold in the
        next cycle.
    event : Out(event_stream)
        New members in router order. The last beat always appears, with `member` = 0 if it adds none; its
        `expert` and `score` then mean nothing.
    predictor_wait : Out
        High in each cycle in which a beat waits because `event` is held up.
    timeout : In
        Cycles without a beat in an event that has begun, after which it closes; 0 for never. A change counts at once.
    watching : Out
        They are counted.
    closed : Out
        High from the cycle after the last beat to the cycle of `event_end`.
    event_end : In
        Pulse, counts while `closed`.
    number, layer, sequence_start, n_members : Out
        Header, stable while `closed`. `number` is 0 for the first event. `layer` is the first one
        in range that a beat names, 0 if none does.
        `sequence_start` is that of the event's first beat, valid or not.
    member_index : In, member_expert, member_score : Out
        Synchronous read of the members in router order of first appearance, data one cycle after the index.
    query_expert : In, query_member : Out
        Combinational: is the expert a member of the event so far?
    fault : Out
        High in each cycle in which a faulty beat is taken, or an event closes by `timeout`.
    """

    latency = 1
    event_latency = 2

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            {
                "route": In(stream.Signature(route_layout(config))),
                "topk_layer": Out(config.layer_bits),
                "topk_value": In(bits_for(config.max_top_k + 1)),
                "n_layers": In(bits_for(config.max_layers + 1)),
                "n_experts": In(bits_for(config.max_experts + 1)),
                "apply": Out(1),
                "event": Out(event_stream(config)),
                "predictor_wait": Out(1),
                "timeout": In(TIMEOUT_BITS),
                "watching": Out(1),
                "closed": Out(1),
                "event_end": In(1),
                "number": Out(EVENT_BITS),
                "layer": Out(config.layer_bits),
                "sequence_start": Out(1),
                "n_members": Out(bits_for(config.max_experts + 1)),
                "member_index": In(config.expert_bits),
                "member_expert": Out(config.expert_bits),
                "member_score": Out(SCORE_BITS),
                "query_expert": In(config.expert_bits),
                "query_member": Out(1),
                "fault": Out(1),
            }
        )
        self._in_event = Signal(config.max_experts)
        self._in_token = Signal(config.max_experts)
        self._n_contributed = Signal(bits_for(config.max_top_k + 1))
        self._top_k = Signal.like(self.topk_value)  # of the layer that is known
        self._layer_known = Signal()
        self._begun = Signal()
        self._can_push = Signal()
        self._do_beat = Signal()
        self._is_valid = Signal()
        self._contributes = Signal()
        self._is_new = Signal()
        self._cut_off = Signal()

    def elaborate(self, platform):
        """Build the checks, the handshake, the stores and the header."""
        m = Module()
        beat = self.route.payload
        m.d.comb += [
            self.topk_layer.eq(beat.layer),
            self._is_valid.eq(
                (beat.layer < self.n_layers)
                & (beat.expert < self.n_experts)
                & (~self._layer_known | (beat.layer == self.layer))
                & ~self._in_token.bit_select(beat.expert, 1)
            ),
            # The selected top-k is known late in the cycle: of a token's first expert it asks only whether it is 0.
            self._contributes.eq(
                self._is_valid & Mux(self._n_contributed == 0, self.topk_value.any(), self._n_contributed < self._top_k)
            ),
            self._is_new.eq(self._contributes & ~self._in_event.bit_select(beat.expert, 1)),
            self.fault.eq(self._do_beat & ~self._is_valid | self._cut_off),
            self.query_member.eq(self._in_event.bit_select(self.query_expert, 1)),
        ]
        self._elaborate_handshake(m)
        self._elaborate_timeout(m)
        self._elaborate_members(m)
        self._elaborate_event_stream(m)
        with m.If(self._do_beat):
            self._elaborate_beat(m)
        with m.If(self.closed & self.event_end):
            m.d.sync += [
                self.closed.eq(0),
                self.number.eq(self.number + 1),
                self.layer.eq(0),
                self.sequence_start.eq(0),
                self.n_members.eq(0),
                self._in_event.eq(0),
                self._layer_known.eq(0),
                self._begun.eq(0),
            ]
        return m

    def _elaborate_handshake(self, m):
        """Take beats of an open event; hold a step's first one for the cycle of `apply`."""
        applied = Signal()
        can_take = Signal()
        m.d.comb += [
            self.apply.eq(
                self.route.valid & ~self.closed & (self.route.payload.layer == 0) & ~self._layer_known & ~applied
            ),
            can_take.eq(~self.closed & ~self.apply),
            self.route.ready.eq(can_take & self._can_push),
            self._do_beat.eq(self.route.valid & self.route.ready),
            self.predictor_wait.eq(self.route.valid & can_take & ~self._can_push),
        ]
        with m.If(self.apply):
            m.d.sync += applied.eq(1)
        with m.If(self.closed & self.event_end):
            m.d.sync += applied.eq(0)

    def _elaborate_timeout(self, m):
        """Close an event whose last beat does not come; no beat is taken in that cycle."""
        m.submodules.watchdog = watchdog = Watchdog()
        collecting = self._begun & ~self.closed & ~self.route.valid
        m.d.comb += [
            watchdog.limit.eq(self.timeout),
            watchdog.waits.eq(collecting),
            self.watching.eq(self._begun & ~self.closed & (self.timeout != 0)),
            self._cut_off.eq(watchdog.expired & collecting & self._can_push),
        ]
        with m.If(self._cut_off):
            m.d.sync += [self.closed.eq(1), self._in_token.eq(0), self._n_contributed.eq(0)]

    def _elaborate_beat(self, m):
        """Account for the beat that is taken in this cycle."""
        beat = self.route.payload
        m.d.sync += self._begun.eq(1)
        with m.If(~self._begun):
            m.d.sync += self.sequence_start.eq(beat.sequence_start)
        with m.If(~self._layer_known & (beat.layer < self.n_layers)):
            m.d.sync += [self.layer.eq(beat.layer), self._layer_known.eq(1), self._top_k.eq(self.topk_value)]
        with m.If(self._is_valid):
            m.d.sync += self._in_token.bit_select(beat.expert, 1).eq(1)
        # Set again for an expert that merges: whether it is new is known later still.
        with m.If(self._contributes):
            m.d.sync += [
                self._n_contributed.eq(self._n_contributed + 1),
                self._in_event.bit_select(beat.expert, 1).eq(1),
            ]
        with m.If(self._is_new):
            m.d.sync += self.n_members.eq(self.n_members + 1)
        with m.If(beat.token_last | beat.last):
            m.d.sync += [self._in_token.eq(0), self._n_contributed.eq(0)]
        with m.If(beat.last):
            m.d.sync += self.closed.eq(1)

    def _elaborate_members(self, m):
        """Store new members in router order.

        A beat is written before it is known to be one: if it is none, the next member overwrites it. While all experts
        are members there is no next place, and the address would be the first one's.
        """
        beat = self.route.payload
        layout = data.StructLayout({"expert": self._config.expert_bits, "score": SCORE_BITS})
        m.submodules.members = members = Memory(shape=layout, depth=self._config.max_experts, init=[])
        write = members.write_port()
        read = members.read_port()
        m.d.comb += [
            write.addr.eq(self.n_members),
            write.data.expert.eq(beat.expert),
            write.data.score.eq(beat.score),
            write.en.eq(self.route.valid & ~self.closed & (self.n_members != self._config.max_experts)),
            read.addr.eq(self.member_index),
            self.member_expert.eq(read.data.expert),
            self.member_score.eq(read.data.score),
        ]

    def _elaborate_event_stream(self, m):
        """Queue new members, and every last beat, for the predictors."""
        beat = self.route.payload
        waiting = LateQueue(shape=member_layout(self._config), depth=self._config.max_experts + 1)
        m.submodules.waiting = waiting
        member = waiting.word
        connect(m, waiting.oldest, flipped(self.event))
        m.d.comb += [
            member.event.eq(self.number),
            member.layer.eq(
                Mux(self._layer_known | self._cut_off, self.layer, Mux(beat.layer < self.n_layers, beat.layer, 0))
            ),
            member.expert.eq(beat.expert),
            member.score.eq(beat.score),
            member.sequence_start.eq(Mux(self._begun, self.sequence_start, beat.sequence_start)),
            member.member.eq(self._is_new & ~self._cut_off),
            member.last.eq(beat.last | self._cut_off),
            waiting.offer.eq(~self.closed & (self.route.valid | self._begun)),
            waiting.push.eq(self._do_beat & (self._is_new | beat.last) | self._cut_off),
            self._can_push.eq(waiting.has_room),
        ]

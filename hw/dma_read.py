"""The AXI read data channel: which beat belongs to which slot, and when a burst ends."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import UnitConfig, bits_for
from .dma_burst import LENGTH_BITS, burst_layout, transfer_count
from .interfaces import SinkSignature
from .late_queue import LateQueue


class ReadTracker(wiring.Component):
    """Keeps the bursts under way in order for each AXI ID and turns read data into sink writes.

    Latency: one cycle from a beat to `sink` and to `ended`; `room` follows a burst's last beat after one cycle.
    Throughput: one beat a cycle, RREADY is not needed. A burst may be pushed two cycles before its first beat.

    Parameters
    ----------
    config : UnitConfig
        `outstanding` bursts for each ID.

    Members
    -------
    push : In
        {valid, id, burst}: a burst is on its way to the address channel; only with `room` and `coming`.
    coming : In(1)
        A burst may be pushed in this cycle.
    accepted, accepted_id : In(1)
        The address channel took a burst of this ID.
    limit : In
        Bursts that may be under way at once from the next cycle on, 1 to `outstanding`.
    room : Out(1)
        Fewer than `limit` bursts are under way, from a flip-flop.
    rvalid, rid, rdata, rresp, rlast : In
        The read data channel.
    aborted : In
        A bit for each transfer: its data is not wanted any more.
    void : In(1)
        Pulse, not with `push`: no burst under way belongs to a transfer any more. What still comes of them, from this
        cycle on, is thrown away, and their ends are not told.
    overdue : Out(1)
        Bursts that were made void have not all come.
    sink : Out(SinkSignature)
        Gets every beat but those of aborted transfers and void bursts and those of a burst from its first error on.
    ended : Out
        {valid, error, burst}: a burst's last beat came.
    beat_used, beat_discarded : Out(1), beat_id : Out(1)
        A beat came and was passed on, or thrown away; its ID.
    protocol_error : Out(1)
        A beat came for an ID with nothing outstanding (it is ignored), or RLAST was wrong (the beats are counted
        instead).
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        burst = burst_layout(config)
        super().__init__(
            {
                "push": In(data.StructLayout({"valid": 1, "id": 1, "burst": burst})),
                "coming": In(1),
                "accepted": In(1),
                "accepted_id": In(1),
                "limit": In(bits_for(config.outstanding + 1)),
                "room": Out(1, init=1),
                "rvalid": In(1),
                "rid": In(1),
                "rdata": In(config.bus_bytes * 8),
                "rresp": In(2),
                "rlast": In(1),
                "aborted": In(transfer_count(config)),
                "void": In(1),
                "overdue": Out(1),
                "sink": Out(SinkSignature(config)),
                "ended": Out(data.StructLayout({"valid": 1, "error": 1, "burst": burst})),
                "beat_used": Out(1),
                "beat_discarded": Out(1),
                "beat_id": Out(1),
                "protocol_error": Out(1),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        layout = burst_layout(self._config)
        expected, last, erring = Signal(), Signal(), Signal()
        heads, is_void = self._queues(m, layout, expected & last)
        awaited = self._awaited(m, expected & last)
        offsets = [Signal(LENGTH_BITS, name=f"offset_{rid}") for rid in range(2)]
        errors = [Signal(name=f"error_{rid}") for rid in range(2)]
        head = Signal(layout)
        offset = Mux(self.rid, offsets[1], offsets[0])
        m.d.comb += [
            head.eq(Mux(self.rid, heads[1], heads[0])),
            expected.eq(self.rvalid & Mux(self.rid, awaited[1], awaited[0])),
            last.eq(offset == head.length),
            erring.eq(self.rresp[1] | Mux(self.rid, errors[1], errors[0])),
        ]
        for rid in range(2):
            with m.If(expected & (self.rid == rid)):
                m.d.sync += [
                    offsets[rid].eq(Mux(last, 0, offset + 1)),
                    errors[rid].eq(erring & ~last),
                ]
        self._deliver(m, head, offset, expected, last, erring, is_void)
        return m

    def _queues(self, m, layout, pop):
        """Return the oldest burst of each ID, and whether that of `rid` is void."""
        heads, overdue = [], []
        for rid in range(2):
            # One place more than bursts: the queue's output register counts as a place of its own.
            queue = LateQueue(shape=layout, depth=self._config.outstanding + 1)
            m.submodules[f"queue_{rid}"] = queue
            m.d.comb += [
                queue.offer.eq(self.coming & self.room),
                queue.word.eq(self.push.burst),
                queue.push.eq(self.push.valid & (self.push.id == rid)),
                queue.oldest.ready.eq(pop & (self.rid == rid)),
            ]
            heads.append(queue.oldest.payload)
            left = Signal.like(queue.level, name=f"overdue_{rid}")
            ends = pop & (self.rid == rid)
            with m.If(self.void):
                m.d.sync += left.eq(queue.level - ends)
            with m.Elif(ends & left.any()):
                m.d.sync += left.eq(left - 1)
            overdue.append(left.any())
        m.d.comb += self.overdue.eq(overdue[0] | overdue[1])
        return heads, self.void | Mux(self.rid, overdue[1], overdue[0])

    def _awaited(self, m, end):
        """Count bursts, all for the limit and accepted ones for each ID; return whether each ID awaits data."""
        count_bits = bits_for(self._config.outstanding + 1)
        count = Signal(count_bits)
        m.d.sync += count.eq(count + self.push.valid - end)
        # A push is known late in a cycle: what it makes of the count only selects.
        fewer = {more: Signal(name=f"fewer_{more}") for more in (-1, 0, 1)}
        m.d.comb += [
            fewer[-1].eq(count <= self.limit),
            fewer[0].eq(count < self.limit),
            fewer[1].eq(count + 1 < self.limit),
        ]
        m.d.sync += self.room.eq(Mux(self.push.valid, Mux(end, fewer[0], fewer[1]), Mux(end, fewer[-1], fewer[0])))
        awaited = []
        for rid in range(2):
            accepted = Signal(count_bits, name=f"accepted_{rid}")
            step_up = self.accepted & (self.accepted_id == rid)
            m.d.sync += accepted.eq(accepted + step_up - (end & (self.rid == rid)))
            awaited.append(accepted.any())
        return awaited

    def _deliver(self, m, head, offset, expected, last, erring, is_void):
        discard = erring | is_void | self.aborted.bit_select(head.transfer, 1)
        m.d.sync += [
            Cat(self.sink.valid, self.beat_used).eq((expected & ~discard).replicate(2)),
            self.beat_discarded.eq(expected & discard),
            self.beat_id.eq(self.rid),
            self.protocol_error.eq(self.rvalid & (~expected | (self.rlast != last))),
            self.sink.slot.eq(head.slot),
            self.sink.beat.eq(head.first + offset),
            self.sink.data.eq(self.rdata),
            self.ended.valid.eq(expected & last & ~is_void),
            self.ended.error.eq(erring),
            self.ended.burst.eq(head),
        ]

"""Prefetch queue: the candidates that wait for a transfer, in order of need."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import EVENT_BITS, SCORE_BITS, UnitConfig, bits_for

DEADLINE_BITS = 8
"""Low bits of a deadline that an entry stores; deadlines in the queue lie within 127 of each other."""


def queue_entry_layout(config: UnitConfig) -> data.StructLayout:
    """Return a queued prefetch; `deadline` is the number of the event that `expert` is expected in."""
    return data.StructLayout(
        {
            "deadline": EVENT_BITS,
            "layer": config.layer_bits,
            "expert": config.expert_bits,
            "score": SCORE_BITS,
            "source": 1,
        }
    )


class QueueEntrySignature(wiring.Signature):
    """An entry and whether there is one, seen from who provides it."""

    def __init__(self, config: UnitConfig):
        super().__init__({"valid": Out(1), "entry": Out(queue_entry_layout(config))})


class PrefetchQueue(wiring.Component):
    """Keeps up to `queue_depth` prefetches sorted by deadline, score (high first), expert (low first).

    Entries with equal keys keep their order of insertion. A shift register with one subtractor per entry:
    deadlines are compared modulo 256, and the head's is completed from `current`, from which it must differ
    by at most 127.

    That an entry is inserted, or the head removed, is known late in the cycle. It ends in one flip-flop, and one more
    if the entry goes first; the shift register moves in the next cycle. `head`, `due` and `level` see that beforehand,
    and the entry where it still is, on `insert.entry`.

    Latency: an insert shows at `head`, `due` and `level` `latency` = 1 cycle later, as do `pop` and `flush`; the
    answers know of an insert or a pop one cycle after that. Throughput: one insert in three cycles, one pop a cycle.
    `flush` wins over `insert.valid` and `pop`, which exclude each other. Source: the systolic shift-register
    priority queue.

    Rule of use: an entry stays on `insert.entry` from the cycle before its `valid` to the cycle after, and the queue
    is left alone in both, but that it may be flushed in the one after; nor was there a `valid` or a pop two cycles
    before. Its event is still to come in the cycle after.

    Members
    -------
    insert : In(QueueEntrySignature)
        Inserted at the clock edge with `valid & ~found`.
    found, full_drop_self, drop_last : Out
        Answers to `insert.entry` of the cycle before, whether `valid` or not: its layer and expert are queued
        already; else it would be dropped because the queue is full of ones before it; else it would push out
        the last one. They mean nothing where that cycle follows a `valid` or a pop, or changes the queue.
    current : In
        Number of the last event that closed; read for the head's deadline only.
    head : Out(QueueEntrySignature)
        First entry, by flip-flops selected from flip-flops but for the completed deadline.
    due : Out
        The head's deadline is that of an event that has closed; any if there is no head.
    pop : In
        Pulse, removes the head; ignored while the queue is empty.
    flush : In
        Pulse, empties the queue.
    level : Out
        Number of entries.
    """

    latency = 1

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            {
                "insert": In(QueueEntrySignature(config)),
                "found": Out(1),
                "full_drop_self": Out(1),
                "drop_last": Out(1),
                "current": In(EVENT_BITS),
                "head": Out(QueueEntrySignature(config)),
                "due": Out(1),
                "pop": In(1),
                "flush": In(1),
                "level": Out(bits_for(config.queue_depth + 1)),
            }
        )

    def elaborate(self, platform):
        """Build the shift register, one comparator per entry."""
        m = Module()
        depth = self._config.queue_depth
        fields = dict(queue_entry_layout(self._config).members)
        stored = data.StructLayout({**fields, "deadline": DEADLINE_BITS})
        self._entries = [Signal(stored, name=f"entry_{i}") for i in range(depth)]
        self._valids = Signal(depth, name="valids")
        self._new = Signal(stored, name="new")
        self._pending = Signal(name="pending")
        self._pending_first = Signal(name="pending_first")
        self._popping = Signal(name="popping")
        m.d.comb += [self._new[name].eq(self.insert.entry[name]) for name in fields]
        first = self._answer(m)
        inserts = self.insert.valid & ~self.found & ~self.flush
        m.d.sync += [
            self._pending.eq(inserts),
            self._pending_first.eq(inserts & first[0]),
            self._popping.eq(self.pop),
        ]
        self._show_head(m)
        self._move(m, first)
        return m

    def _answer(self, m):
        """Answer to the entry of the cycle before; return for each place whether it goes before what is there."""
        valids, new = self._valids, self._new
        new_first = Signal(len(valids))  # a run of zeros, then of ones: entries are sorted and the invalid ones last
        same = Signal(len(valids))
        for i, entry in enumerate(self._entries):
            m.d.comb += [
                new_first[i].eq(~valids[i] | _is_before(new, entry)),
                same[i].eq(valids[i] & (entry.layer == new.layer) & (entry.expert == new.expert)),
            ]
        answered_first = Signal(len(valids))
        m.d.sync += [self.found.eq(same.any()), answered_first.eq(new_first)]
        m.d.comb += [
            self.full_drop_self.eq(valids[-1] & ~answered_first[-1] & ~self.found),
            self.drop_last.eq(valids[-1] & answered_first[-1] & ~self.found),
        ]
        return answered_first

    def _show_head(self, m):
        """Show the first entry as it will be once the shift register has moved."""
        valids, popping = self._valids, self._popping
        first, second = self._entries[0], self._entries[min(1, len(self._entries) - 1)]
        head = Signal.like(self._new)
        passed = [(self.current[:DEADLINE_BITS] - entry.deadline)[DEADLINE_BITS - 1] == 0 for entry in (first, second)]
        m.d.comb += [
            head.eq(Mux(self._pending_first, self._new, Mux(popping, second, first))),
            self.head.valid.eq(Mux(popping, valids >> 1, valids)[0] | self._pending),
            *(self.head.entry[name].eq(head[name]) for name in head.shape().members if name != "deadline"),
            self.head.entry.deadline.eq(_complete(head.deadline, self.current)),
            # A pending entry is not due; so a pop need not wait for the head's multiplexer.
            self.due.eq(~self._pending_first & Mux(popping, passed[1], passed[0])),
        ]

    def _move(self, m, new_first):
        """Shift the entries after the insertion point back, or all forward; of an empty queue they mean nothing."""
        entries, valids, pending, popping = self._entries, self._valids, self._pending, self._popping
        n_stored = Signal.like(self.level)
        m.d.comb += self.level.eq(n_stored + (pending & ~valids[-1]) - (popping & valids[0]))
        m.d.sync += n_stored.eq(self.level)
        with m.If(self.flush):
            m.d.sync += [valids.eq(0), n_stored.eq(0)]
        with m.Elif(popping):
            m.d.sync += valids.eq(valids >> 1)
        with m.Elif(pending):
            m.d.sync += valids.eq(Cat(1, valids))
        for i, entry in enumerate(entries):
            before = Mux(new_first[i - 1], entries[i - 1], self._new) if i else self._new
            following = entries[i + 1] if i + 1 < len(entries) else entry
            with m.If(popping | (pending & new_first[i])):
                m.d.sync += entry.eq(Mux(pending, before, following))


def _is_before(new, entry):
    """Return whether `new` sorts strictly before `entry`: the sign of the difference modulo 2^width."""
    keys = [Cat(side.expert, ~side.score, side.deadline) for side in (new, entry)]
    return (keys[0] - keys[1])[len(keys[0]) - 1]


def _complete(low, current):
    """Return the full event number nearest to `current` that ends in the bits `low`."""
    ahead = (low - current[:DEADLINE_BITS])[:DEADLINE_BITS]
    return (current + ahead.as_signed())[:EVENT_BITS]

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

    Latency: an insert shows at `head`, `level` and in `found` `latency` = 1 cycle later, as do `pop` and
    `flush`. Throughput: one insert or one pop a cycle. `insert.valid` and `pop` exclude each other (a pop
    would win); `flush` wins over both. Source: the systolic shift-register priority queue.

    Members
    -------
    inserting : In
        An insertion may come in this cycle, known earlier in it than whether one does; no `pop` then.
    insert : In(QueueEntrySignature)
        Inserted at the clock edge with `valid & ~found`; the entry must have been there in the cycle before, and the
        queue have been left alone in it.
    found, full_drop_self, drop_last : Out
        Answers to `insert.entry` of the cycle before, whether `valid` or not: its layer and expert are queued
        already; else it would be dropped because the queue is full of ones before it; else it would push out
        the last one.
    current : In
        Number of the last event that closed; read for the head's deadline only.
    head : Out(QueueEntrySignature)
        First entry, from flip-flops but for the completed deadline.
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
                "inserting": In(1),
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
        entries = [Signal(stored, name=f"entry_{i}") for i in range(depth)]
        valids = Signal(depth)
        new = Signal(stored)
        new_first = Signal(depth)  # a run of zeros, then of ones: entries are sorted and the invalid ones last
        same = Signal(depth)
        m.d.comb += [new[name].eq(self.insert.entry[name]) for name in fields]
        for i, entry in enumerate(entries):
            m.d.comb += [
                new_first[i].eq(~valids[i] | _is_before(new, entry)),
                same[i].eq(valids[i] & (entry.layer == new.layer) & (entry.expert == new.expert)),
            ]
        answered_first = Signal(depth)
        m.d.sync += [self.found.eq(same.any()), answered_first.eq(new_first)]
        m.d.comb += [
            self.full_drop_self.eq(valids[-1] & ~answered_first[-1] & ~self.found),
            self.drop_last.eq(valids[-1] & answered_first[-1] & ~self.found),
            self.head.valid.eq(valids[0]),
            [self.head.entry[name].eq(entries[0][name]) for name in fields if name != "deadline"],
            self.head.entry.deadline.eq(_complete(entries[0].deadline, self.current)),
            self.due.eq(~(self.current[:DEADLINE_BITS] - entries[0].deadline)[DEADLINE_BITS - 1]),
        ]
        self._elaborate_update(m, entries, valids, new, answered_first)
        return m

    def _elaborate_update(self, m, entries, valids, new, new_first):
        """Shift the entries after the insertion point back, or all forward; of an empty queue they mean nothing."""
        inserts = self.insert.valid & ~self.found
        with m.If(self.flush):
            m.d.sync += [valids.eq(0), self.level.eq(0)]
        with m.Elif(self.pop):
            m.d.sync += [valids.eq(valids >> 1), self.level.eq(self.level - valids[0])]
        with m.Elif(inserts):
            m.d.sync += [valids.eq(Cat(1, valids)), self.level.eq(self.level + ~valids[-1])]
        for i, entry in enumerate(entries):
            before = Mux(new_first[i - 1], entries[i - 1], new) if i else new
            following = entries[i + 1] if i + 1 < len(entries) else entry
            with m.If(self.pop | (inserts & new_first[i])):
                m.d.sync += entry.eq(Mux(self.inserting, before, following))


def _is_before(new, entry):
    """Return whether `new` sorts strictly before `entry`: the sign of the difference modulo 2^width."""
    keys = [Cat(side.expert, ~side.score, side.deadline) for side in (new, entry)]
    return (keys[0] - keys[1])[len(keys[0]) - 1]


def _complete(low, current):
    """Return the full event number nearest to `current` that ends in the bits `low`."""
    ahead = (low - current[:DEADLINE_BITS])[:DEADLINE_BITS]
    return (current + ahead.as_signed())[:EVENT_BITS]

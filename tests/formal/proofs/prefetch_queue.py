"""The prefetch queue gives what an unsorted list gives that is searched for its first and its last entry."""

from amaranth.hdl import Cat, Mux, Signal
from amaranth.lib import data
from moefetch.hw.config import EVENT_BITS, bits_for
from moefetch.hw.prefetch_queue import DEADLINE_BITS, PrefetchQueue, queue_entry_layout

from ..engine import Proof
from ..harness import Harness, assume, check, implies, past, small
from ..seeding import Seed

CONFIG = small(max_layers=2, max_experts=4, queue_depth=3, horizon=4)
AHEAD_BITS = bits_for(CONFIG.horizon + 1)


def naive_layout():
    """Return an entry of the list: its deadline counts from the current event."""
    return data.StructLayout({**queue_entry_layout(CONFIG).members, "deadline": AHEAD_BITS})


def rank(entry):
    """Return a number by which entries sort."""
    return Cat(entry.expert, ~entry.score, entry.deadline)


def before(one, other):
    """Return whether `one` sorts before `other`."""
    return rank(one) < rank(other)


class NaiveQueue:
    """A list in order of insertion; its best entry is found by going over all of them."""

    def __init__(self, m, queue, advance):
        self.depth = CONFIG.queue_depth
        self.entries = [Signal(naive_layout(), name=f"naive_{i}") for i in range(self.depth)]
        self.count = Signal(range(self.depth + 1), name="naive_count")
        self.first = Signal(range(self.depth), name="naive_first")
        self.last = Signal(range(self.depth), name="naive_last")
        self._new = new = Signal(naive_layout())
        entry = queue.insert.entry
        m.d.comb += [new[name].eq(entry[name]) for name in ("layer", "expert", "score", "source")]
        m.d.comb += new.deadline.eq(entry.deadline - queue.current)
        self._search(m)
        self._answers(m, new)
        self._update(m, queue)
        with m.If(advance):
            m.d.sync += [entry.deadline.eq(entry.deadline - 1) for entry in self.entries]

    def _search(self, m):
        first, last = self.entries[0], self.entries[0]
        at_first, at_last = 0, 0
        for i in range(1, self.depth):
            entry, there = self.entries[i], i < self.count
            earlier = there & before(entry, first)
            later = there & ~before(entry, last)
            first, at_first = data.View(entry.shape(), Mux(earlier, entry, first)), Mux(earlier, i, at_first)
            last, at_last = data.View(entry.shape(), Mux(later, entry, last)), Mux(later, i, at_last)
        m.d.comb += [self.first.eq(at_first), self.last.eq(at_last)]
        self.head, self.tail = first, last

    def _answers(self, m, new):
        self.found, self.drop_self, self.drop_last = (Signal(name=f"naive_{n}") for n in ("found", "self", "drop"))
        same = [
            (i < self.count) & (e.layer == new.layer) & (e.expert == new.expert) for i, e in enumerate(self.entries)
        ]
        full = self.count == self.depth
        m.d.comb += [
            self.found.eq(Cat(same).any()),
            self.drop_last.eq(full & ~self.found & before(new, self.tail)),
            self.drop_self.eq(full & ~self.found & ~before(new, self.tail)),
        ]

    def _update(self, m, queue):
        inserts = queue.insert.valid & ~self.found & ~self.drop_self
        with m.If(queue.flush):
            m.d.sync += self.count.eq(0)
        with m.Elif(queue.pop):
            with m.If(self.count != 0):
                self._remove(m, self.first)
                m.d.sync += self.count.eq(self.count - 1)
        with m.Elif(inserts):
            with m.If(self.drop_last):
                self._remove(m, self.last)
                m.d.sync += self.entries[-1].eq(self._new)
            with m.Else():
                m.d.sync += self.count.eq(self.count + 1)
                for i, entry in enumerate(self.entries):
                    with m.If(self.count == i):
                        m.d.sync += entry.eq(self._new)

    def _remove(self, m, index):
        for i in range(self.depth - 1):
            with m.If(i >= index):
                m.d.sync += self.entries[i].eq(self.entries[i + 1])


class QueueHarness(Harness):
    """Queue and list side by side.

    The list takes an insertion at once, so what the queue shows of it is right in the next cycle already.
    Assumed: what the commit port keeps to. What is inserted has been there for a cycle, in which the queue was left
    alone and which followed no insertion and no pop; it stays for another, in which nothing is popped. An insertion's
    deadline is within the horizon, nothing is inserted and popped at once, and the current event goes on only when no
    entry is for it or for an earlier one.
    """

    def __init__(self):
        super().__init__(PrefetchQueue(config=CONFIG))
        self.advance = self.free(1, "advance")

    def properties(self, m, probe):
        queue = self.dut
        passed = Signal(EVENT_BITS)
        m.d.sync += passed.eq(passed + self.advance)
        m.d.comb += queue.current.eq(self.constant(m, EVENT_BITS, "start") + passed)
        ahead = (queue.insert.entry.deadline - queue.current - 1)[:EVENT_BITS]
        waits = queue.head.valid & (queue.head.entry.deadline == queue.current)
        assume(
            m,
            implies(queue.insert.valid, (ahead < CONFIG.horizon) & ~queue.pop),
            implies(self.advance, ~waits & ~queue.insert.valid & ~queue.pop & ~queue.flush),
        )
        entry = queue.insert.entry.as_value()
        stays = past(m, entry, "entry_before") == entry
        self.inserted = inserted = past(m, queue.insert.valid, "inserted")
        self.popped = popped = past(m, queue.pop, "popped")
        rests = ~self.advance & ~inserted & ~popped & ~queue.insert.valid & ~queue.pop & ~queue.flush
        answers = past(m, rests, "rested") & stays
        assume(m, implies(queue.insert.valid, answers), implies(inserted, stays & ~queue.pop))
        naive = NaiveQueue(m, queue, self.advance)
        head = Signal(queue_entry_layout(CONFIG))
        m.d.comb += [head[name].eq(naive.head[name]) for name in ("layer", "expert", "score", "source")]
        m.d.comb += head.deadline.eq(queue.current + naive.head.deadline)
        check(
            m,
            queue.level == naive.count,
            queue.head.valid == (naive.count != 0),
            implies(queue.head.valid, queue.head.entry.as_value() == head.as_value()),
            implies(queue.head.valid, queue.due == (naive.head.deadline == 0)),
            implies(answers, queue.found == naive.found),
            implies(queue.insert.valid, queue.full_drop_self == naive.drop_self),
            implies(queue.insert.valid, queue.drop_last == naive.drop_last),
        )
        self.naive = naive

    def strengthen(self, m, probe):
        """Relate the two states: the queue's entries are the list's, sorted."""
        queue, naive, depth = self.dut, self.naive, CONFIG.queue_depth
        entries, valids = self._with_pending(m, probe)
        ahead = (queue.insert.entry.deadline - queue.current - 1)[:EVENT_BITS]
        check(
            m,
            implies(probe["pending"], self.inserted & (ahead < CONFIG.horizon)),
            probe["pending_first"] == (probe["pending"] & probe["answered_first"][0]),
            probe["popping"] == self.popped,
        )
        places = [Signal(range(depth), name=f"place_{i}") for i in range(depth)]
        check(m, naive.count <= depth)
        ranks = [Signal(len(rank(naive.entries[0])), name=f"rank_{i}") for i in range(depth)]
        for i, entry in enumerate(entries):
            check(m, valids[i] == (i < naive.count))
            listed = [
                (j < naive.count) & (e.layer == entry.layer) & (e.expert == entry.expert)
                for j, e in enumerate(naive.entries)
            ]
            for j, (there, twin) in enumerate(zip(listed, naive.entries, strict=True)):
                low = (queue.current + twin.deadline)[:DEADLINE_BITS]
                same = (entry.deadline == low) & (entry.score == twin.score) & (entry.source == twin.source)
                check(m, implies(valids[i] & there, same))
                with m.If(there):
                    m.d.comb += [places[i].eq(j), ranks[i].eq(rank(twin))]
            check(m, implies(valids[i], Cat(listed).any()))
        for i in range(depth - 1):
            order = (ranks[i] < ranks[i + 1]) | ((ranks[i] == ranks[i + 1]) & (places[i] < places[i + 1]))
            check(m, implies(valids[i + 1], order))
        for i, entry in enumerate(naive.entries):
            check(m, implies(i < naive.count, entry.deadline <= CONFIG.horizon))
            for other in naive.entries[:i]:
                same = (entry.layer == other.layer) & (entry.expert == other.expert)
                check(m, implies(i < naive.count, ~same))

    def _with_pending(self, m, probe):
        """Return the entries and which are valid, once the shift register has moved as it is about to."""
        stored = data.StructLayout({**queue_entry_layout(CONFIG).members, "deadline": DEADLINE_BITS})
        entries = [probe.view(f"entry_{i}", stored) for i in range(CONFIG.queue_depth)]
        pending, popping, goes_before = probe["pending"], probe["popping"], probe["answered_first"]
        shown = [Signal(stored, name=f"shown_{i}") for i in range(CONFIG.queue_depth)]
        for i, entry in enumerate(entries):
            here = pending & goes_before[i]
            following = entries[i + 1] if i + 1 < len(entries) else entry
            stays = data.View(stored, Mux(popping, following, entry))
            m.d.comb += shown[i].eq(Mux(here, entries[i - 1], stays) if i else stays)
            with m.If(here & ~goes_before[i - 1] if i else here):
                m.d.comb += [shown[i][name].eq(self.dut.insert.entry[name]) for name in stored.members]
        valids = probe["valids"]
        return shown, Mux(pending, Cat(1, valids), Mux(popping, valids >> 1, valids))


MODULE = "hw.prefetch_queue"
PROOFS = [
    Proof(
        name="prefetch-queue",
        claim="prefetch queue: order, no loss, no duplicate: equal to an unsorted list that is searched",
        harness=QueueHarness,
        depth=2,
        seeds=(
            Seed("score-upward", MODULE, "~side.score", "side.score"),
            Seed("layer-ignored", MODULE, "(entry.layer == new.layer) & ", ""),
            Seed("level-beyond-full", MODULE, "(pending & ~valids[-1])", "pending"),
            Seed("pop-keeps-valid", MODULE, "sync += valids.eq(valids >> 1)", "sync += valids.eq(valids)"),
            Seed("pending-not-first", MODULE, "Mux(self._pending_first, self._new, ", "Mux(0, self._new, "),
            Seed("popped-still-first", MODULE, "Mux(popping, second, first)", "first"),
            Seed("popped-still-due", MODULE, "Mux(popping, passed[1], passed[0])", "passed[0]"),
            Seed("pending-due", MODULE, "~self._pending_first & Mux", "Mux"),
            Seed("pending-not-shown", MODULE, "valids)[0] | self._pending", "valids)[0]"),
            Seed("pending-not-flushed", MODULE, " & ~self.flush\n", "\n"),
            Seed("inserted-though-found", MODULE, "self.insert.valid & ~self.found & ~", "self.insert.valid & ~"),
        ),
        seed_depth=12,
    )
]

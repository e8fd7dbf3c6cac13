"""The late queue keeps its stream's rule, and gives each word that is pushed once, in order."""

from amaranth.hdl import Mux, Signal
from moefetch.hw.config import bits_for
from moefetch.hw.late_queue import LateQueue

from ..engine import Proof
from ..harness import Harness, assume, check, implies, stays
from ..seeding import Seed

DEPTH, WIDTH = 4, 4
PLACES = DEPTH - 1
"""In the queue's memory, not a power of two; the oldest word is in the memory's output register."""
MODULE = "hw.late_queue"


class LateQueueHarness(Harness):
    """One word, any one, is followed from its push to the moment it is taken.

    Assumed: a word is pushed only while it is offered. What is offered and not pushed is free.
    """

    def __init__(self):
        super().__init__(LateQueue(shape=WIDTH, depth=DEPTH))
        self.follow = self.free(1, "follow")

    def properties(self, m, probe):
        queue, oldest = self.dut, self.dut.oldest
        assume(m, implies(queue.push, queue.offer))
        stays(m, oldest.valid, oldest.ready, oldest.payload, "oldest")
        pushed, taken = queue.push & queue.has_room, oldest.valid & oldest.ready
        count, ahead = Signal(bits_for(DEPTH + 1)), Signal(bits_for(DEPTH + 1))
        followed, word = Signal(), Signal(WIDTH)
        m.d.sync += count.eq(count + pushed - taken)
        with m.If(followed & taken):
            m.d.sync += [ahead.eq(ahead - 1), followed.eq(ahead != 0)]
        with m.Elif(~followed & pushed & self.follow):
            m.d.sync += [ahead.eq(count - taken), followed.eq(1), word.eq(queue.word)]
        check(
            m,
            queue.level == count,
            queue.empty == (count == 0),
            queue.has_room == (count - oldest.valid < PLACES),
            implies(followed & (ahead == 0) & oldest.valid, oldest.payload == word),
        )
        self.ledger = count, followed, ahead, word

    def strengthen(self, m, probe):
        """The followed word is in its place of the memory, or in the output register."""
        count, followed, ahead, word = self.ledger
        stored = count - self.dut.oldest.valid
        read_place, write_place, after_it = (probe[name] for name in ("read_place", "write_place", "after_it"))
        settled, pushed = probe["settled"], probe["pushed"]
        held = probe.word("storage", (read_place + ahead - self.dut.oldest.valid)[:3] % PLACES, "held")
        check(
            m,
            stored == settled + pushed,
            stored <= PLACES,
            read_place < PLACES,
            write_place == (read_place + settled) % PLACES,
            after_it == Mux(write_place == PLACES - 1, 0, write_place + 1),
            implies(followed, ahead < count),
            implies(followed & ((ahead != 0) | ~self.dut.oldest.valid), held == word),
        )


PROOFS = [
    Proof(
        name="late-queue",
        claim="late queue (grants, misses, events, bursts): the oldest stays until taken; each word once, in order",
        harness=LateQueueHarness,
        depth=2,
        seeds=(
            Seed("oldest-overwritten", MODULE, "& (~oldest.valid | oldest.ready)", "& 1"),
            Seed(
                "offered-is-pushed",
                MODULE,
                "pushed.eq(self.push & self.has_room)",
                "pushed.eq(self.offer & self.has_room)",
            ),
            Seed("one-too-many", MODULE, " & ~(pushed & (settled == places - 1))", ""),
        ),
        quick=True,
    )
]

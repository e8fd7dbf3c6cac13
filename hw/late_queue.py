"""A queue whose words are written before it is known whether they count."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .config import bits_for


class LateQueue(wiring.Component):
    """Holds up to `depth` words in order: in a memory, and the oldest in the memory's output register.

    `push` may come late in the cycle: it ends in one flip-flop. A word is written when it is offered, and counts only
    if it is pushed as well; the price is a write of the memory in every cycle with an offer. In what it says and in
    each cycle it is `amaranth.lib.fifo.SyncFIFOBuffered`.

    Latency: two cycles from a push to `oldest`. Throughput: one word a cycle.

    Parameters
    ----------
    shape : ShapeLike
        Of a word.
    depth : int
        2 or more.

    Members
    -------
    offer, word : In
        A word, and that it may be pushed in this cycle.
    push : In(1)
        It is; only with `offer`, and without effect while `has_room` is 0.
    has_room : Out(1)
    oldest : Out(stream)
    empty : Out(1)
    level : Out
        Words in the queue.
    """

    def __init__(self, *, shape, depth: int):
        if depth < 2:
            raise ValueError(f"depth = {depth}: must be 2 or more, a word in the memory and one in its output register")
        self._places = depth - 1
        super().__init__(
            {
                "offer": In(1),
                "word": In(shape),
                "push": In(1),
                "has_room": Out(1),
                "oldest": Out(stream.Signature(shape)),
                "empty": Out(1),
                "level": Out(bits_for(depth + 1)),
            }
        )
        self._shape = shape

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        places, oldest = self._places, self.oldest
        pushed = Signal()
        moves = Signal()
        settled = Signal(range(places + 1))  # in the memory, without what was pushed in the cycle before
        write_place = Signal(range(places))
        after_it = Signal(range(places), init=1 % places)
        read_place = Signal(range(places))
        m.submodules.storage = storage = Memory(shape=self._shape, depth=places, init=[])
        write, read = storage.write_port(), storage.read_port()
        m.d.comb += [
            self.has_room.eq((settled != places) & ~(pushed & (settled == places - 1))),
            self.empty.eq(~(settled.any() | pushed | oldest.valid)),
            self.level.eq(settled + pushed + oldest.valid),
            moves.eq(((settled != 0) | pushed) & (~oldest.valid | oldest.ready)),
            write.addr.eq(Mux(pushed, after_it, write_place)),
            write.data.eq(self.word),
            write.en.eq(self.offer & self.has_room),
            read.addr.eq(read_place),
            read.en.eq(moves),
            oldest.payload.eq(read.data),
        ]
        m.d.sync += [pushed.eq(self.push & self.has_room), settled.eq(settled + pushed - moves)]
        with m.If(pushed):
            m.d.sync += [write_place.eq(after_it), after_it.eq(_following(after_it, places))]
        with m.If(moves):
            m.d.sync += [read_place.eq(_following(read_place, places)), oldest.valid.eq(1)]
        with m.Elif(oldest.ready):
            m.d.sync += oldest.valid.eq(0)
        return m


def _following(place, places):
    return Mux(place == places - 1, 0, place + 1)

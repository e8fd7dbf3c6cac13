"""Cutting one transfer into bursts that AXI4 allows."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import UnitConfig, bits_for
from .dma_burst import LENGTH_BITS, LINE_BYTES, burst_layout, transfer_bits, word_bits
from .interfaces import descriptor_layout, piece_layout


class BurstLegalizer(wiring.Component):
    """Cuts a descriptor into bursts of at most `limit` + 1 beats, none across a 4 KiB line or the end of a piece.

    Latency: two cycles from `load` to `valid`, and two from `take` to the next `valid`. Throughput: one burst
    every two cycles, so bursts of two beats or more can keep the bus full.

    Parameters
    ----------
    config : UnitConfig
        Widths.

    Members
    -------
    load : In(1)
        Start on `descriptor` as transfer `transfer`; only while not `active`. The address is taken as a multiple
        of `bus_bytes`. A descriptor of 0 beats, or a refused one, is accepted and has no bursts.
    limit : In(8)
        Beats of the longest burst, less one.
    active : Out(1)
        Beats are left to be requested.
    valid, burst, last : Out
        The next burst; `last` if nothing is left after it. They stay until `take` or `stop`, or a change of `limit`;
        without `valid` they mean nothing.
    take : In(1)
        The burst is requested; only with `valid`.
    stop : In(1)
        Forget what is left.
    beats_left, beats_total : Out
        Beats not yet requested (0 unless `active`), and of the whole descriptor while `active`.
    most_left : Out(1)
        More than half of all beats are not yet requested.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        beats = bits_for(config.slot_beats + 1)
        super().__init__(
            {
                "load": In(1),
                "descriptor": In(descriptor_layout(config)),
                "transfer": In(transfer_bits(config)),
                "limit": In(LENGTH_BITS),
                "active": Out(1),
                "valid": Out(1),
                "burst": Out(burst_layout(config)),
                "last": Out(1),
                "take": In(1),
                "stop": In(1),
                "beats_left": Out(beats),
                "beats_total": Out(beats),
                "most_left": Out(1),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        settled = Signal()
        rest = Signal(bits_for(self._config.slot_beats))
        most = Signal()
        left, left_after = self._count_beats(m, rest)
        m.d.comb += [
            self.valid.eq(self.active & settled),
            self.beats_left.eq(Mux(self.active, left, 0)),
            self.most_left.eq(self.active & most),
        ]
        if self._config.segments > 1:
            self._more, self._ends_piece = Signal.like(self.descriptor.more), Signal()
        with m.If(~self.active):
            self._start(m, rest, settled)
            m.d.sync += most.eq(1)
        with m.Elif(self.take):
            m.d.sync += [
                most.eq((left_after << 1) > self.beats_total),
                self.active.eq(~self.last),
                settled.eq(0),
                rest.eq(rest - self.burst.length - 1),
                self.burst.word.eq(self.burst.word + self.burst.length + 1),
                self.burst.first.eq(self.burst.first + self.burst.length + 1),
            ]
        with m.Else():
            m.d.sync += settled.eq(1)
        if self._config.segments > 1:
            self._next_piece(m, rest)
        self._settle(m, rest)
        # Apart from the branches above, so that a late `stop` reaches one flip-flop and no adder.
        with m.If(self.stop):
            m.d.sync += self.active.eq(0)
        return m

    def _start(self, m, rest, settled):
        """Take over what is on offer: whether there is something is known late, and reaches one flip-flop alone."""
        address_bits = word_bits(self._config)
        m.d.sync += [
            self.active.eq(self.load & (self.descriptor.beats != 0)),
            settled.eq(0),
            rest.eq(self.descriptor.beats - 1),
            self.beats_total.eq(self.descriptor.beats),
            self.burst.transfer.eq(self.transfer),
            self.burst.slot.eq(self.descriptor.slot),
            self.burst.word.eq(self.descriptor.address[64 - address_bits :]),
            self.burst.first.eq(0),
        ]

    def _count_beats(self, m, rest):
        """Return the beats left of all pieces, now and after a `take`; `rest` is that of the one being cut."""
        if self._config.segments == 1:
            return rest + 1, rest - self.burst.length
        left = Signal.like(self.beats_left)
        left_after = left - self.burst.length - 1
        with m.If(~self.active):
            m.d.sync += left.eq(self.descriptor.beats)
        with m.Elif(self.take):
            m.d.sync += left.eq(left_after)
        return left, left_after

    def _next_piece(self, m, rest):
        """Keep the pieces to come, and go on with the first of them when a burst takes the last beats of one."""
        with m.If(~self.active):
            m.d.sync += [
                self.active.eq(self.load & (self.descriptor.beats != 0) & ~self.descriptor.refused),
                rest.eq(self.descriptor.piece_beats - 1),
                self._more.eq(self.descriptor.more),
            ]
        with m.Elif(self.take & self._ends_piece):
            m.d.sync += [
                rest.eq(self._more[0].beats - 1),
                self.burst.word.eq(self._more[0].address[64 - word_bits(self._config) :]),
                self._more.eq(self._more.as_value() >> piece_layout(self._config).size),
            ]

    def _settle(self, m, rest):
        """Choose the length; all numbers here are beats less one, as in AxLEN.

        The three bounds are compared side by side. It is done in every cycle, although one after each change of `rest`
        is enough, so that synthesis does not share these comparators with the adders of the other branches and chain
        the two.
        """
        line_words = LINE_BYTES // self._config.bus_bytes
        to_line = Signal(exact_log2(line_words))
        allowed = Signal(LENGTH_BITS)
        fits = Signal()
        m.d.comb += [
            to_line.eq(~self.burst.word[: len(to_line)]),
            allowed.eq(Mux(to_line < self.limit, to_line, self.limit)),
            fits.eq((rest <= to_line) & (rest <= self.limit)),
        ]
        with m.If(fits):
            m.d.sync += [self.burst.length.eq(rest), self.last.eq(1)]
        with m.Else():
            m.d.sync += [self.burst.length.eq(allowed), self.last.eq(0)]
        if self._config.segments > 1:
            m.d.sync += [
                self._ends_piece.eq(fits),
                self.last.eq(fits & (self._more[0].beats == 0)),
            ]

"""The sending side of an asynchronous serial line."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

BITS = 10
"""Of a character on the line: start, 8 data bits with the least significant first, stop."""


class UartTransmitter(wiring.Component):
    """Sends characters as 8N1: 8 data bits, no parity, one stop bit.

    Latency: the start bit begins one cycle after the character was taken. Throughput: one character every
    10 * `divisor` + 1 cycles.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit, at least 1.

    Members
    -------
    characters : In(stream)
        8 bits each.
    tx : Out
        The line, 1 at rest.

    Raises
    ------
    ValueError
        If `divisor` is below 1.
    """

    latency = 1

    def __init__(self, *, divisor: int):
        if divisor < 1:
            raise ValueError(f"divisor = {divisor}: must be at least 1")
        self._divisor = divisor
        super().__init__({"characters": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        rest = Signal(BITS - 1, init=(1 << BITS - 1) - 1)
        left, cycle = Signal(range(BITS + 1)), Signal(range(self._divisor))
        m.d.comb += self.characters.ready.eq(left == 0)
        with m.If(left == 0):
            with m.If(self.characters.valid):
                m.d.sync += [self.tx.eq(0), rest.eq(Cat(self.characters.payload, 1)), left.eq(BITS), cycle.eq(0)]
        with m.Elif(cycle == self._divisor - 1):
            m.d.sync += [Cat(self.tx, rest).eq(Cat(rest, 1)), left.eq(left - 1), cycle.eq(0)]
        with m.Else():
            m.d.sync += cycle.eq(cycle + 1)
        return m

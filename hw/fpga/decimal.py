"""A number as decimal digits."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

DIGIT_BITS = 4


class DecimalDigits(wiring.Component):
    """Turns a number into the characters of its decimal digits, the highest first, without leading zeros.

    Source of the method: double dabble, a shift-and-add-3 conversion; a digit of 5 or more gains 3 before each shift.

    Latency: `width` + 1 cycles and one more for each leading zero, from number to first character. Throughput: one
    number at a time; `number` is ready when its last character has been taken.

    Parameters
    ----------
    width : int
        Bits of a number, at least 1.

    Members
    -------
    number : In(stream)
        `width` bits, unsigned.
    characters : Out(stream)
        ASCII digits.

    Raises
    ------
    ValueError
        If `width` is below 1.
    """

    def __init__(self, *, width: int):
        if width < 1:
            raise ValueError(f"width = {width}: must be at least 1")
        self._width = width
        self.digits = len(str((1 << width) - 1))
        """Of the largest number."""
        super().__init__({"number": In(stream.Signature(width)), "characters": Out(stream.Signature(8))})

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        digits = [Signal(DIGIT_BITS, name=f"digit_{place}") for place in range(self.digits)]
        binary, left = Signal(self._width), Signal(range(max(self._width, self.digits) + 1))
        started = Signal()
        highest = digits[-1]
        corrected = Cat(Mux(digit >= 5, digit + 3, digit)[:DIGIT_BITS] for digit in digits)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.number.ready.eq(1)
                m.d.sync += [Cat(digits).eq(0), binary.eq(self.number.payload), left.eq(self._width), started.eq(0)]
                with m.If(self.number.valid):
                    m.next = "CONVERT"
            with m.State("CONVERT"):
                m.d.sync += [Cat(binary, *digits).eq(Cat(Const(0, 1), binary, corrected)), left.eq(left - 1)]
                with m.If(left == 1):
                    m.d.sync += left.eq(self.digits)
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += [
                    self.characters.payload.eq(highest + ord("0")),
                    self.characters.valid.eq(started | (highest != 0) | (left == 1)),
                ]
                with m.If(self.characters.ready | ~self.characters.valid):
                    m.d.sync += [
                        Cat(digits).eq(Cat(Const(0, DIGIT_BITS), *digits)),
                        started.eq(self.characters.valid),
                        left.eq(left - 1),
                    ]
                    with m.If(left == 1):
                        m.next = "IDLE"
        return m

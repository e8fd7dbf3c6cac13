"""The slave side of AXI4-Lite: two channel pairs turned into one write and one read request at a time."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .interfaces import Axi4LiteSignature

OKAY = 0b00
SLVERR = 0b10
WORD_ADDRESS_BITS = 10
"""Width of a word's address in the 4 KiB space."""


class WordWriteSignature(wiring.Signature):
    """A write of one word, seen from the AXI side.

    `valid` stays until `done`. In the cycle after it `ended` is 1, and `error` counts.
    """

    def __init__(self):
        super().__init__(
            {
                "valid": Out(1),
                "address": Out(WORD_ADDRESS_BITS),
                "data": Out(32),
                "strobe": Out(4),
                "done": In(1),
                "ended": Out(1),
                "error": In(1),
            }
        )


class WordReadSignature(wiring.Signature):
    """A read of one word, seen from the AXI side; `valid` stays until `done`; the answer counts with it."""

    def __init__(self):
        super().__init__(
            {
                "valid": Out(1),
                "address": Out(WORD_ADDRESS_BITS),
                "done": In(1),
                "data": In(32),
                "error": In(1),
            }
        )


class AxiLiteSlave(wiring.Component):
    """Takes AXI4-Lite accesses, reads and writes independent of each other, AW and W in any order.

    Latency: `write.valid` one cycle after the later of AW and W was taken, BVALID two cycles after
    `write.done`; `read.valid` one cycle after AR, RVALID one cycle after `read.done`. Throughput: a
    write every three cycles, and a read every two, if `done` comes at once. A request waits while the answer before
    it has not been taken. The two lowest address bits and AxPROT are ignored; an error answers SLVERR,
    and RDATA is then 0. Source of the protocol: AMBA AXI IHI 0022, part B.

    Members
    -------
    bus : In(Axi4LiteSignature)
    write : Out(WordWriteSignature)
    read : Out(WordReadSignature)
    awake : Out
        An address, data, a request or an answer is there.
    """

    latency = 1
    """Cycles from an address to its request, and from a read's end to its answer; from a write's end one more."""

    def __init__(self):
        super().__init__(
            {
                "bus": In(Axi4LiteSignature()),
                "write": Out(WordWriteSignature()),
                "read": Out(WordReadSignature()),
                "awake": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build both directions."""
        m = Module()
        self._elaborate_write(m)
        self._elaborate_read(m)
        bus = self.bus
        arrives = bus.awvalid | bus.wvalid | bus.arvalid
        waits = self.write.valid | self.write.ended | self.read.valid
        m.d.comb += self.awake.eq(arrives | waits | bus.bvalid | bus.rvalid)
        return m

    def _elaborate_write(self, m: Module) -> None:
        bus, write = self.bus, self.write
        address_held = Signal()
        data_held = Signal()
        m.d.comb += [
            bus.awready.eq(~address_held),
            bus.wready.eq(~data_held),
        ]
        # `write.valid` is `address_held & data_held`, while no answer waits, from a flip-flop: all registers' checks
        # begin with it.
        ends = write.valid & write.done
        answers = ends | write.ended | (bus.bvalid & ~bus.bready)
        m.d.sync += [
            write.valid.eq((address_held | bus.awvalid) & (data_held | bus.wvalid) & ~answers),
            write.ended.eq(ends),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [address_held.eq(1), write.address.eq(bus.awaddr[2:])]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [data_held.eq(1), write.data.eq(bus.wdata), write.strobe.eq(bus.wstrb)]
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(ends):
            m.d.sync += [address_held.eq(0), data_held.eq(0)]
        with m.If(write.ended):
            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(write.error << 1)]

    def _elaborate_read(self, m: Module) -> None:
        bus, read = self.bus, self.read
        held = Signal()
        m.d.comb += [bus.arready.eq(~held), read.valid.eq(held & ~bus.rvalid)]
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [held.eq(1), read.address.eq(bus.araddr[2:])]
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(read.valid & read.done):
            m.d.sync += [held.eq(0), bus.rvalid.eq(1), bus.rresp.eq(read.error << 1)]
            m.d.sync += bus.rdata.eq(read.data & ~read.error.replicate(32))

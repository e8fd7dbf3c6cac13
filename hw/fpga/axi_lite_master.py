"""The master side of AXI4-Lite: one access at a time."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..axi_lite import OKAY
from ..interfaces import Axi4LiteSignature

ACCESS = data.StructLayout({"write": 1, "address": 12, "data": 32})
"""A whole word to write, or to read; byte addresses."""
ANSWER = data.StructLayout({"data": 32, "error": 1})
"""`data` counts for a read; an `error` is any response but OKAY."""


class AxiLiteMaster(wiring.Component):
    """Makes accesses over AXI4-Lite, each one after the answer to the one before.

    Latency: AxVALID, and WVALID, one cycle after `access` was taken; `answer.valid` in the cycle of BVALID or RVALID.
    Throughput: one access at a time. Source of the protocol: AMBA AXI IHI 0022, part B.

    Members
    -------
    access : In(stream of ACCESS)
    answer : Out(stream of ANSWER, always ready)
    bus : Out(Axi4LiteSignature)
    """

    latency = 1

    def __init__(self):
        super().__init__(
            {
                "access": In(stream.Signature(ACCESS)),
                "answer": Out(stream.Signature(ANSWER, always_ready=True)),
                "bus": Out(Axi4LiteSignature()),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        bus, access, answer = self.bus, self.access, self.answer
        held, busy = Signal(ACCESS), Signal()
        m.d.comb += [
            access.ready.eq(~busy),
            bus.awaddr.eq(held.address),
            bus.araddr.eq(held.address),
            bus.wdata.eq(held.data),
            bus.wstrb.eq(0b1111),
            bus.bready.eq(busy & held.write),
            bus.rready.eq(busy & ~held.write),
            answer.valid.eq((bus.bvalid & bus.bready) | (bus.rvalid & bus.rready)),
            answer.payload.data.eq(bus.rdata),
            answer.payload.error.eq(Mux(held.write, bus.bresp, bus.rresp) != OKAY),
        ]
        for valid, ready in ((bus.awvalid, bus.awready), (bus.wvalid, bus.wready), (bus.arvalid, bus.arready)):
            with m.If(ready):
                m.d.sync += valid.eq(0)
        with m.If(access.valid & access.ready):
            m.d.sync += [
                held.eq(access.payload),
                busy.eq(1),
                bus.awvalid.eq(access.payload.write),
                bus.wvalid.eq(access.payload.write),
                bus.arvalid.eq(~access.payload.write),
            ]
        with m.If(answer.valid):
            m.d.sync += busy.eq(0)
        return m

"""The tables' share of the memory port: bursts of table pages, after everything that experts want."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import UnitConfig
from .interfaces import Axi4ReadSignature, Axi4Signature, PageBusSignature, page_request_layout
from .row_layout import paged_layout

TABLES = 2
"""AXI ID of table bursts; their ARQOS and AWQOS are 0."""


class PageChannel(wiring.Component):
    """Puts the DMA's reads and a predictor's table bursts on one AXI4 port; tables have the least priority.

    A table burst is requested only while `hold` is 0 and the DMA has no address waiting, one at a time and on top of
    the DMA's own bursts. An address that is on its way stays, as AXI demands, so a demand waits for
    one table burst at most.

    Latency: none from the DMA to the port and back; a table's address is valid one cycle after its request is
    taken, a word read comes one cycle after its beat, `done` one cycle after the last one or after the
    response. Throughput: one beat a cycle, one burst at a time.

    Parameters
    ----------
    config : UnitConfig
        With `table_window` or `weight_ways`.

    Members
    -------
    dma : In(Axi4ReadSignature), axi : Out(Axi4Signature)
        From the DMA, to memory. All bytes of a word are written.
    pages : In(PageBusSignature)
        From the predictor.
    base : In(64)
        Address of page 0, 4 KiB aligned.
    hold : In(1)
        An expert waits to be requested.
    cache, prot : In
        AR and AW signals.
    beat_read, beat_written, protocol_error : Out(1)
        Pulses, a cycle after the beat: a word of a table was read, was written; a beat or a response came for
        the tables that nothing had asked for (ignored), or with a wrong RLAST (beats are counted instead).
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            {
                "dma": In(Axi4ReadSignature(config)),
                "axi": Out(Axi4Signature(config)),
                "pages": In(PageBusSignature(config)),
                "base": In(64),
                "hold": In(1),
                "cache": In(4),
                "prot": In(3),
                "beat_read": Out(1),
                "beat_written": Out(1),
                "protocol_error": Out(1),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        self._length = Signal(page_request_layout(self._config)["length"].shape)
        self._left = Signal.like(self._length)
        self._reading, self._writing = Signal(), Signal()
        self._stray_read, self._stray_write = Signal(), Signal()
        self._ended, self._failed = Signal(), Signal()
        self._start(m)
        self._read_address(m)
        self._read_data(m)
        self._write(m)
        m.d.sync += [
            self.pages.done.eq(self._ended),
            self.pages.error.eq(self._failed),
            self.protocol_error.eq(self._stray_read | self._stray_write),
        ]
        return m

    def _start(self, m):
        """Take a request while no expert wants the port."""
        request, axi, config = self.pages.request, self.axi, self._config
        layout = paged_layout(config)
        payload = request.payload
        address = Signal(64)
        busy = self._reading | self._writing
        m.d.comb += [
            request.ready.eq(~busy & ~self.hold & ~self.dma.arvalid),
            address.eq(self.base + payload.page * layout.page_bytes + (payload.word << exact_log2(config.bus_bytes))),
        ]
        for prefix in ("ar", "aw"):
            m.d.comb += [
                getattr(axi, f"{prefix}size").eq(exact_log2(config.bus_bytes)),
                getattr(axi, f"{prefix}burst").eq(1),
                getattr(axi, f"{prefix}cache").eq(self.cache),
                getattr(axi, f"{prefix}prot").eq(self.prot),
            ]
        with m.If(request.valid & request.ready):
            m.d.sync += [
                self._reading.eq(~payload.write),
                self._writing.eq(payload.write),
                axi.awaddr.eq(address),
                self._length.eq(payload.length),
                self._left.eq(payload.length),
            ]
        with m.Elif(self._ended):
            m.d.sync += [self._reading.eq(0), self._writing.eq(0)]

    def _read_address(self, m):
        """Put the table's address on AR, ahead of the DMA's next one; else the DMA has the channel."""
        dma, axi, request = self.dma, self.axi, self.pages.request
        waits = Signal()
        with m.If(request.valid & request.ready):
            m.d.sync += waits.eq(~request.payload.write)
        with m.Elif(axi.arready):
            m.d.sync += waits.eq(0)
        self._address_waits = waits
        m.d.comb += [
            axi.arvalid.eq(waits | dma.arvalid),
            axi.araddr.eq(Mux(waits, axi.awaddr, dma.araddr)),
            axi.arid.eq(Mux(waits, TABLES, dma.arid)),
            axi.arlen.eq(Mux(waits, self._length, dma.arlen)),
            axi.arqos.eq(Mux(waits, 0, dma.arqos)),
            dma.arready.eq(axi.arready & ~waits),
        ]

    def _read_data(self, m):
        """Sort the beats by ID."""
        dma, axi, pages = self.dma, self.axi, self.pages
        ours, expected, last = Signal(), Signal(), Signal()
        erring, error = Signal(), Signal()
        m.d.comb += [
            axi.rready.eq(1),
            ours.eq(axi.rid[1]),
            dma.rvalid.eq(axi.rvalid & ~ours),
            dma.rid.eq(axi.rid[0]),
            dma.rdata.eq(axi.rdata),
            dma.rresp.eq(axi.rresp),
            dma.rlast.eq(axi.rlast),
            expected.eq(axi.rvalid & ours & self._reading & ~self._address_waits),
            last.eq(expected & (self._left == 0)),
            erring.eq(error | axi.rresp[1]),
            self._stray_read.eq(axi.rvalid & ours & (~expected | (axi.rlast != (self._left == 0)))),
        ]
        m.d.sync += [
            pages.read_valid.eq(expected),
            pages.read_data.eq(Mux(axi.rresp[1], 0, axi.rdata)),
            self.beat_read.eq(expected),
        ]
        with m.If(expected):
            m.d.sync += [self._left.eq(self._left - 1), error.eq(erring & ~last)]
        with m.If(last):
            m.d.comb += [self._ended.eq(1), self._failed.eq(erring)]

    def _write(self, m):
        """Send address and words independent of each other; the response ends the burst."""
        axi, pages, request = self.axi, self.pages, self.pages.request
        do_start, do_word, answered = Signal(), Signal(), Signal()
        words_wait = Signal()
        m.d.comb += [
            do_start.eq(request.valid & request.ready & request.payload.write),
            axi.awid.eq(TABLES),
            axi.awlen.eq(self._length),
            axi.wvalid.eq(pages.write.valid & words_wait),
            axi.wdata.eq(pages.write.payload),
            axi.wstrb.eq(~0),
            axi.wlast.eq(self._left == 0),
            pages.write.ready.eq(axi.wready & words_wait),
            do_word.eq(axi.wvalid & axi.wready),
            axi.bready.eq(1),
            # A response may come in the very cycle in which the last of address and words is taken.
            answered.eq(
                axi.bvalid & self._writing & (~axi.awvalid | axi.awready) & (~words_wait | (do_word & axi.wlast))
            ),
            self._stray_write.eq(axi.bvalid & ~answered),
        ]
        m.d.sync += self.beat_written.eq(do_word)
        with m.If(do_start):
            m.d.sync += [axi.awvalid.eq(1), words_wait.eq(1)]
        with m.Else():
            with m.If(axi.awready):
                m.d.sync += axi.awvalid.eq(0)
            with m.If(do_word & axi.wlast):
                m.d.sync += words_wait.eq(0)
        with m.If(do_word):
            m.d.sync += self._left.eq(self._left - 1)
        with m.If(answered):
            m.d.comb += [self._ended.eq(1), self._failed.eq(axi.bresp[1])]

"""The tables' share of the memory port, and what asks for it: AXI4 master rules on AR, AW and W."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import connect
from moefetch.hw.config import bits_for
from moefetch.hw.dma_burst import LINE_BYTES
from moefetch.hw.page_channel import TABLES, PageChannel
from moefetch.hw.row_layout import paged_layout
from moefetch.predictor_rtl.page_mover import PageMover

from ..engine import Proof
from ..harness import Harness, assume, check, implies, past, small, stays
from ..seeding import Seed

CONFIG = small(max_layers=4, max_experts=64, max_top_k=16, bus_bytes=64, slot_bytes=512, table_window=3)
LAYOUT = paged_layout(CONFIG)
"""Pages of 2 KiB in groups of 1 KiB."""
AR_FIELDS = ("araddr", "arid", "arlen", "arsize", "arburst", "arlock", "arcache", "arprot", "arqos")
AW_FIELDS = [name.replace("ar", "aw", 1) for name in AR_FIELDS]
CHANNEL, MOVER = "hw.page_channel", "predictor_rtl.page_mover"


class Paging(wiring.Component):
    """Page mover and page channel, connected as in the unit; the rest is free."""

    def __init__(self):
        super().__init__({})
        self.channel, self.mover = PageChannel(config=CONFIG), PageMover(config=CONFIG)

    def elaborate(self, platform):
        m = Module()
        m.submodules.channel, m.submodules.mover = self.channel, self.mover
        connect(m, self.channel.pages, self.mover.bus)
        return m


class PageHarness(Harness):
    """Mover and channel beside a memory that keeps AXI4's rules, and a DMA that keeps its own.

    Free: orders, retries, the longest burst, `hold`, what memory answers and when. Assumed: the base is 4 KiB aligned,
    cache and protection are constant, which groups were changed is constant, a word of the bank stays until the next is
    read, the DMA's address stays.
    """

    def __init__(self):
        self.top = Paging()
        super().__init__(self.top)
        self.inputs_of(self.top.channel)
        self.inputs_of(self.top.mover)

    def properties(self, m, probe):
        channel, mover, axi = self.top.channel, self.top.mover, self.top.channel.axi
        for name in ("cache", "prot", "base"):
            setting = getattr(channel, name)
            m.d.comb += setting.eq(self.constant(m, len(setting), f"set_{name}"))
        m.d.comb += mover.changed.eq(self.constant(m, LAYOUT.groups, "changed"))
        assume(m, channel.base[:12] == 0, implies(mover.start, ~mover.busy))
        assume(m, past(m, mover.read, "word_read") | (past(m, mover.data, "data_before") == mover.data))
        dma = channel.dma
        waits = past(m, dma.arvalid & ~dma.arready, "dma_waits")
        payload = Cat(getattr(dma, name) for name in AR_FIELDS)
        assume(m, implies(waits, dma.arvalid & (payload == past(m, payload, "dma_before"))))
        self._memory(m, axi)
        self._claims(m, axi)

    def _memory(self, m, axi):
        """One table burst at a time: beats of a read that are due, words of a write that have come."""
        self.due, self.sent = due, sent = Signal(bits_for(257)), Signal(bits_for(257))
        self.addressed, self.complete = addressed, complete = Signal(), Signal()
        self.reads = axi.arvalid & (axi.arid == TABLES)
        beat = axi.rvalid & (axi.rid == TABLES)
        assume(m, axi.rid <= TABLES, implies(beat, (due != 0) & (axi.rlast == (due == 1))))
        with m.If(self.reads & axi.arready):
            m.d.sync += due.eq(axi.arlen + 1)
        with m.Elif(beat):
            m.d.sync += due.eq(due - 1)
        do_address, do_word = axi.awvalid & axi.awready, axi.wvalid & axi.wready
        ends = do_word & axi.wlast
        assume(m, implies(axi.bvalid, (addressed | do_address) & (complete | ends)))
        m.d.sync += [
            addressed.eq((addressed | do_address) & ~axi.bvalid),
            complete.eq((complete | ends) & ~axi.bvalid),
        ]
        with m.If(axi.bvalid):
            m.d.sync += sent.eq(0)
        with m.Elif(do_word):
            m.d.sync += sent.eq(sent + 1)

    def _claims(self, m, axi):
        channel = self.top.channel
        stays(m, axi.arvalid, axi.arready, Cat(getattr(axi, name) for name in AR_FIELDS), "ar")
        stays(m, axi.awvalid, axi.awready, Cat(getattr(axi, name) for name in AW_FIELDS), "aw")
        stays(m, axi.wvalid, axi.wready, Cat(axi.wdata, axi.wstrb, axi.wlast), "w")
        for valid, prefix in ((self.reads, "ar"), (axi.awvalid, "aw")):
            address, length, size, burst = (getattr(axi, prefix + name) for name in ("addr", "len", "size", "burst"))
            check(
                m,
                implies(valid, (address[:12] + ((length + 1) << 6)) <= LINE_BYTES),
                implies(valid, (address[:6] == 0) & (size == 6) & (burst == 1)),
                implies(valid, length < LAYOUT.burst_words),
            )
        under_way = (self.due != 0) + self.addressed
        check(
            m,
            under_way + self.reads + axi.awvalid <= 1,
            implies(axi.wvalid, ~self.complete & (axi.wlast == (self.sent == axi.awlen))),
            implies(axi.wvalid, axi.awvalid | self.addressed),
            axi.rready & axi.bready & ~channel.protocol_error,
            channel.dma.rvalid == (axi.rvalid & (axi.rid != TABLES)),
            channel.beat_read == past(m, axi.rvalid & (axi.rid == TABLES), "table_beat_before"),
            channel.beat_written == past(m, axi.wvalid & axi.wready, "word_before"),
        )

    def strengthen(self, m, probe):
        """Say what the channel's and the mover's registers have to do with the burst under way."""
        channel, mover, bus = self.top.channel, self.top.mover, self.top.mover.bus
        axi, waits, words_wait = channel.axi, channel._address_waits, probe["channel.words_wait"]
        reading, writing, left, length = channel._reading, channel._writing, channel._left, channel._length
        loads, first, offset, burst = mover._loads, mover._first, mover._offset, mover._length
        moves, requests = probe.state("mover.fsm", "MOVE"), probe.state("mover.fsm", "REQUEST")
        offered = bus.write.valid
        inside = first[: bits_for(LAYOUT.burst_words)]
        check(
            m,
            ~(reading & writing),
            implies(waits, reading),
            implies(axi.awvalid | words_wait, writing),
            moves == (reading | writing | bus.done),
            ~(bus.done & (reading | writing)),
            implies(reading, loads),
            implies(writing, ~loads),
            self.due == Mux(reading & ~waits, left + 1, 0),
            self.addressed == (writing & ~axi.awvalid),
            self.complete == (writing & ~words_wait),
            self.sent == Mux(writing, Mux(words_wait, length - left, length + 1), 0),
            implies(words_wait, left <= length),
            implies(moves, inside + burst < LAYOUT.burst_words),
            implies(reading | writing, length == burst),
            implies(reading, left <= length),
            implies(offered, moves & ~loads),
            implies(writing, offset == self.sent + offered),
            implies(writing, offset <= length + 1),
            first <= LAYOUT.words,
            implies(moves | requests, first < LAYOUT.words),
            implies(reading | writing, axi.awaddr[:12] == ((bus.request.payload.page[0] * LAYOUT.words + first) << 6)),
            implies(waits, left == length),
            implies(bus.done & ~loads, (offset == burst + 1) & ~offered),
        )
        changed = mover.changed.bit_select(first[len(inside) :], 1)
        check(m, implies(~loads & (requests | moves | (inside != 0)), changed & (first < LAYOUT.words)))


PROOFS = [
    Proof(
        name="page-channel",
        claim="table bursts: AR, AW, W stay while stalled; none crosses 4 KiB; WLAST as AWLEN says; one at a time",
        harness=PageHarness,
        depth=2,
        seeds=(
            Seed("taken-under-dma", CHANNEL, "& ~self.hold & ~self.dma.arvalid", "& ~self.hold"),
            Seed("length-leaves-group", MOVER, "Mux(limit <= rest, limit - 1, rest)", "limit - 1"),
            Seed("last-one-early", CHANNEL, "axi.wlast.eq(self._left == 0)", "axi.wlast.eq(self._left <= 1)"),
            Seed("address-not-held", CHANNEL, "with m.Elif(axi.arready):", "with m.Else():"),
        ),
        quick=True,
    )
]

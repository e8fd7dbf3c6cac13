"""The DMA controller on its ports: AXI4 read-master rules, every beat accounted, every transfer ended, once."""

from amaranth.hdl import Cat, Mux, Signal
from moefetch.hw.config import bits_for
from moefetch.hw.dma import DmaController
from moefetch.hw.dma_burst import LINE_BYTES, burst_layout, transfer_count
from moefetch.hw.records import Fill

from ..engine import Proof
from ..harness import Harness, assume, check, implies, past, small, stays
from ..seeding import Seed

CONFIG = small(bus_bytes=4, slot_bytes=4 * 3, slots=2, outstanding=2)
AR_FIELDS = ("araddr", "arid", "arlen", "arsize", "arburst", "arlock", "arcache", "arprot", "arqos")


class Memory:
    """AXI4's read slave: bursts of an ID are answered in order, IDs in any.

    What it answers is free but for the rules: a beat only where one is due, RLAST on a burst's last.
    """

    def __init__(self, m, axi, depth):
        self.queues = []
        self.address = Signal(64, name="beat_address")
        accepted = axi.arvalid & axi.arready
        for rid in range(2):
            addresses = [Signal(64, name=f"mem_{rid}_address_{i}") for i in range(depth)]
            lefts = [Signal(3, name=f"mem_{rid}_left_{i}") for i in range(depth)]
            due = lefts[0] != 0
            beat = axi.rvalid & (axi.rid == rid)
            ends = beat & (lefts[0] == 1)
            assume(m, implies(beat, due & (axi.rlast == (lefts[0] == 1))))
            enters = accepted & (axi.arid == rid)
            count = sum(left != 0 for left in lefts)
            after = Signal(range(depth + 1), name=f"mem_{rid}_after")
            m.d.comb += after.eq(count - ends)
            with m.If(beat):
                m.d.comb += self.address.eq(addresses[0])
                m.d.sync += [addresses[0].eq(addresses[0] + CONFIG.bus_bytes), lefts[0].eq(lefts[0] - 1)]
            with m.If(ends):
                for i in range(depth - 1):
                    m.d.sync += [addresses[i].eq(addresses[i + 1]), lefts[i].eq(lefts[i + 1])]
                m.d.sync += lefts[-1].eq(0)
            for i in range(depth):
                with m.If(enters & (after == i)):
                    m.d.sync += [addresses[i].eq(axi.araddr), lefts[i].eq(axi.arlen[:2] + 1)]
            self.queues.append((count, due))
        self.outstanding = self.queues[0][0] + self.queues[1][0]


class DmaHarness(Harness):
    """The controller, a memory that keeps AXI4's rules, and one slot that is followed.

    Assumed: no descriptor for a slot whose transfer has not ended; beats fit a slot; settings constant.
    """

    def __init__(self):
        super().__init__(DmaController(config=CONFIG))

    def properties(self, m, probe):
        self.probe = probe
        self.surroundings(m)
        self.claims(m)

    def claims(self, m):
        """Assert one side of what the controller promises."""
        raise NotImplementedError

    def surroundings(self, m):
        """Settings that are made before the first descriptor, a memory, and which transfer is followed."""
        dma = self.dut
        for name in ("outstanding", "burst_beats", "retries", "qos_demand", "qos_prefetch", "cache", "prot", "timeout"):
            setting = getattr(dma, name)
            m.d.comb += setting.eq(self.constant(m, len(setting), f"set_{name}"))
        settled = Signal()  # a setting counts two cycles after it is made
        m.d.sync += settled.eq(1)
        assume(m, implies(~settled, ~dma.demand.valid & ~dma.prefetch.valid))
        self.memory = Memory(m, dma.axi, CONFIG.outstanding)
        self.follow(m)

    def follow(self, m):
        """Keep account of one slot's transfer."""
        dma, status = self.dut, self.dut.status
        self.slot = slot = self.constant(m, CONFIG.slot_bits, "followed")
        self.opened, self.aborted = Signal(name="opened"), Signal(name="aborted")
        self.base, self.beats_wanted = Signal(64), Signal(bits_for(CONFIG.slot_beats + 1))
        self.received = Signal(CONFIG.slot_beats)
        opened = self.opened
        self.ends = status.valid & status.ready & (status.payload.slot == slot)
        for descriptor in (dma.prefetch, dma.demand):
            load, enters = descriptor.payload, Signal()
            m.d.comb += enters.eq(descriptor.valid & descriptor.ready & (load.slot == slot))
            assume(m, load.beats <= CONFIG.slot_beats, load.address[:2] == 0, load.address[13:] == 0)
            assume(m, implies(enters, ~opened))
            with m.If(enters):
                m.d.sync += [opened.eq(1), self.aborted.eq(0), self.received.eq(0)]
                m.d.sync += [self.base.eq(load.address), self.beats_wanted.eq(load.beats)]
        assume(m, ~(dma.prefetch.valid & dma.demand.valid & (dma.prefetch.payload.slot == dma.demand.payload.slot)))
        with m.If(self.ends):
            m.d.sync += opened.eq(0)
        with m.If(dma.abort.valid & (dma.abort.slot == slot) & opened):
            m.d.sync += self.aborted.eq(1)


class AddressHarness(DmaHarness):
    """The address channel and RREADY."""

    def claims(self, m):
        """ARVALID and its payload stay, bursts are legal, no more are under way than allowed, RREADY is 1."""
        dma, axi, memory = self.dut, self.dut.axi, self.memory
        stays(m, axi.arvalid, axi.arready, Cat(getattr(axi, name) for name in AR_FIELDS), "ar")
        limit = Mux(dma.outstanding > CONFIG.outstanding, CONFIG.outstanding, Mux(dma.outstanding, dma.outstanding, 1))
        longest = Mux(dma.burst_beats > 256, 256, Mux(dma.burst_beats, dma.burst_beats, 1))
        check(m, axi.rready == 1, memory.outstanding + axi.arvalid <= limit)
        with m.If(axi.arvalid):
            check(
                m,
                axi.arlen < longest,
                (axi.araddr[:12] + ((axi.arlen + 1) << axi.arsize)) <= LINE_BYTES,
                (1 << axi.arsize) == CONFIG.bus_bytes,
                axi.arburst == 1,
                axi.arlock == 0,
                axi.araddr[: (CONFIG.bus_bytes - 1).bit_length()] == 0,
            )


class BeatHarness(DmaHarness):
    """The data channel."""

    def claims(self, m):
        """Each beat is counted once, and what is passed on is a beat's data."""
        dma, axi = self.dut, self.dut.axi
        came = past(m, axi.rvalid, "beat_came")
        check(m, dma.beat_demand + dma.beat_prefetch + dma.beat_discarded == came, ~dma.protocol_error)
        check(m, dma.sink.valid == (dma.beat_demand | dma.beat_prefetch))
        check(m, implies(dma.sink.valid, dma.sink.data == past(m, axi.rdata, "data_before")))


class TransferHarness(DmaHarness):
    """Words and status of a slot's transfer."""

    def claims(self, m):
        """A followed slot's transfer fetches each of its words from its address, and ends once."""
        dma, status, slot, memory = self.dut, self.dut.status, self.slot, self.memory
        opened, aborted, base, beats, received = self.opened, self.aborted, self.base, self.beats_wanted, self.received
        ends = self.ends
        arrives = dma.sink.valid & (dma.sink.slot == slot)
        with m.If(arrives):
            m.d.sync += received.bit_select(dma.sink.beat, 1).eq(1)
        wanted = Cat(beat < beats for beat in range(CONFIG.slot_beats))
        address = past(m, memory.address, "address_before")
        check(
            m,
            implies(arrives, opened & ~past(m, aborted, "aborted_before")),
            implies(arrives, dma.sink.beat < beats),
            implies(arrives, address == (base + dma.sink.beat * CONFIG.bus_bytes)[:64]),
            implies(status.valid & (status.payload.slot == slot), opened & (status.payload.drained == aborted)),
            implies(ends & ~aborted & (status.payload.fill == Fill.DONE), received == wanted),
            implies(dma.idle, ~opened),
        )
        requested = self.probe.view("prefetch_engine.burst", burst_layout(CONFIG)).transfer
        for index in range(transfer_count(CONFIG)):
            is_requested = self.probe["prefetch_engine.active"] & (requested == index)
            check(m, implies(is_requested, self.probe["_promoted"] == self.probe[f"table.demanded_{index}"]))
            check(m, implies(~self.probe[f"table.valid_{index}"], self.probe[f"table.bursts_{index}"] == 0))
        waits = past(m, status.valid & ~status.ready, "status_waits")
        check(m, implies(waits, status.valid & (status.payload.slot == past(m, status.payload.slot, "slot_before"))))


DMA, READ, TABLE = "hw.dma", "hw.dma_read", "hw.dma_transfers"
PROOFS = [
    Proof(
        name="dma-address",
        claim="DMA: AR stays while stalled, legal bursts, no more of them than allowed, RREADY 1",
        harness=AddressHarness,
        depth=10,
        induction=False,
        seeds=(
            Seed("ar-replaced", DMA, "m.If(~axi.arvalid | axi.arready)", "m.If(1)"),
            Seed("one-too-many", READ, "fewer[1].eq(count + 1 < self.limit)", "fewer[1].eq(count < self.limit)"),
        ),
    ),
    Proof(
        name="dma-beats",
        claim="DMA: each beat is counted once, as demand, prefetch or discarded; only those used pass on",
        harness=BeatHarness,
        depth=10,
        induction=False,
        seeds=(
            Seed(
                "discarded-not-counted",
                READ,
                "self.beat_discarded.eq(expected & discard)",
                "self.beat_discarded.eq(expected & erring)",
            ),
            Seed(
                "offset-not-cleared", READ, "offsets[rid].eq(Mux(last, 0, offset + 1))", "offsets[rid].eq(offset + 1)"
            ),
        ),
    ),
    Proof(
        name="dma-transfers",
        claim="DMA: a word lands in its slot at its place, DONE only with all words, one status each",
        harness=TransferHarness,
        depth=8,
        induction=False,
        seeds=(
            Seed("aborted-before-counted", TABLE, " | taken.any()", ""),
            Seed("ends-early", TABLE, "(entry.requesting | (entry.bursts != 0)", "((entry.bursts != 0)"),
            Seed(
                "abort-keeps-data",
                TABLE,
                "self.aborted.eq(Cat(entry.aborted for",
                "self.aborted.eq(Cat(entry.failed for",
            ),
        ),
    ),
]

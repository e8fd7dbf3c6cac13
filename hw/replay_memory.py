"""The replay's memory: an AXI4 slave with exact timing and no storage."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import UnitConfig, bits_for
from .interfaces import memory_signature
from .page_channel import TABLES
from .replay_tables import ReplayTables, TableWordsSignature
from .replay_word import ReplayWord

TIME_BITS = 32
"""Width of the internal clock; only differences count, so it may wrap."""
SLVERR = 2


class ReplayMemory(wiring.Component):
    """Serves read bursts in address order over one channel; word contents as in `replay_pattern`.

    Latency: a burst accepted in cycle `a` occupies the channel from `max(a + latency, end of the burst before + 1)`
    on, for `cycles_per_beat` cycles a beat that are not taken by background traffic; each beat comes in the last of its
    cycles. Cycle 0 is the first with `run`; background traffic takes the cycles `t` with
    `t mod background_period < background_length`. A beat that RREADY does not take stops the channel.
    Throughput: one beat every `cycles_per_beat` cycles. ARREADY falls in the cycle after the one that brought the
    bursts under way to `outstanding`, and rises in the cycle after a last beat. Tables of a unit that has them in
    memory are read in the same order over the same channel; how they are written: `ReplayTables`.

    Parameters
    ----------
    config : UnitConfig
        Bus width.
    capacity : int
        Largest number of accepted bursts, at least 1.
    error_entries : int
        Addresses at which errors can be injected.

    Members
    -------
    axi : In(Axi4ReadSignature, or Axi4Signature where tables lie in memory)
    tables : Out(TableWordsSignature), only there
        Bursts with ID `TABLES` are of these words.
    latency, cycles_per_beat : In(16)
        At least 1; 0 counts as 1.
    outstanding : In
        Accepted bursts at most, 1 to `capacity`; 0 accepts none.
    run : In(1)
        While it is 0 there is no background traffic, and after that it begins with its cycle 0, so that its phase does
        not depend on how long the unit was programmed.
    background_period, background_length : In(32)
        No background traffic if either is 0; a length of the period or more would stop the channel for ever.
    error_address, error_count : In, one for each error entry
        Each of the first `error_count` accepted bursts that hold byte `error_address` answers with SLVERR on every
        beat.

    Raises
    ------
    ValueError
        If `capacity` or `error_entries` is out of range.
    """

    def __init__(self, *, config: UnitConfig, capacity: int = 64, error_entries: int = 2):
        if capacity < 1:
            raise ValueError(f"capacity = {capacity}: must be at least 1")
        if error_entries < 1:
            raise ValueError(f"error_entries = {error_entries}: must be at least 1")
        self._config = config
        self._capacity = capacity
        self._error_entries = error_entries
        tables = {"tables": Out(TableWordsSignature(config))} if config.pages_tables else {}
        super().__init__(
            tables
            | {
                "axi": In(memory_signature(config)),
                "latency": In(16),
                "cycles_per_beat": In(16),
                "outstanding": In(bits_for(capacity + 1)),
                "run": In(1, init=1),
                "background_period": In(TIME_BITS),
                "background_length": In(TIME_BITS),
                "error_address": In(64).array(error_entries),
                "error_count": In(8).array(error_entries),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        layout = data.StructLayout({"address": 64, "length": 8, "id": len(self.axi.rid), "error": 1, "due": TIME_BITS})
        m.submodules.queue = queue = SyncFIFO(width=layout.size, depth=self._capacity)
        entry, head = Signal(layout), Signal(layout)
        now = Signal(TIME_BITS)
        m.d.sync += now.eq(now + 1)
        m.d.comb += [
            self.axi.arready.eq(queue.level < self.outstanding),
            queue.w_en.eq(self.axi.arvalid & self.axi.arready),
            queue.w_data.eq(entry),
            head.eq(queue.r_data),
            entry.address.eq(self.axi.araddr),
            entry.length.eq(self.axi.arlen),
            entry.id.eq(self.axi.arid),
            entry.error.eq(self._error(m, queue.w_en)),
            entry.due.eq(now + Mux(self.latency == 0, 1, self.latency)),
        ]
        started = ~(now - head.due)[TIME_BITS - 1]
        serve = Signal()
        m.d.comb += serve.eq(queue.r_rdy & started & ~self._background(m))
        m.d.comb += queue.r_en.eq(self._serve(m, serve, head))
        return m

    def _background(self, m):
        phase = Signal(TIME_BITS)
        m.d.sync += phase.eq(Mux(~self.run | (phase + 1 >= self.background_period), 0, phase + 1))
        return self.run & (phase < self.background_length) & (self.background_period != 0)

    def _error(self, m, accept):
        """Return whether the burst on AR is to fail, and count it if it is accepted."""
        size = exact_log2(self._config.bus_bytes)
        fails = []
        for index in range(self._error_entries):
            hits = Signal(8, name=f"hits_{index}")
            offset = Signal(64, name=f"offset_{index}")
            fail = Signal(name=f"fail_{index}")
            m.d.comb += [
                offset.eq(self.error_address[index] - self.axi.araddr),
                fail.eq((offset >> size <= self.axi.arlen) & (hits != self.error_count[index])),
            ]
            with m.If(accept & fail):
                m.d.sync += hits.eq(hits + 1)
            fails.append(fail)
        return Cat(fails).any()

    def _serve(self, m, serve, head):
        """Drive the data channel in the cycles in which `serve` is 1; return when the burst `head` ends."""
        axi = self.axi
        m.submodules.word = word = ReplayWord(config=self._config)
        beat, cycle = Signal(8), Signal(16)
        complete = cycle + 1 >= self.cycles_per_beat
        taken = Signal()
        m.d.comb += [
            axi.rvalid.eq(serve & complete),
            taken.eq(axi.rvalid & axi.rready),
            axi.rid.eq(head.id),
            word.address.eq(head.address + (beat << exact_log2(self._config.bus_bytes))),
            axi.rdata.eq(word.word),
            axi.rresp.eq(Mux(head.error, SLVERR, 0)),
            axi.rlast.eq(beat == head.length),
        ]
        if self._config.pages_tables:
            self._serve_tables(m, head.id, word.address)
        with m.If(taken):
            m.d.sync += [cycle.eq(0), beat.eq(Mux(axi.rlast, 0, beat + 1))]
        with m.Elif(serve & ~complete):
            m.d.sync += cycle.eq(cycle + 1)
        return taken & axi.rlast

    def _serve_tables(self, m, burst_id, address):
        """Read the tables' words in place of the pattern, and take what is written."""
        m.submodules.writes = writes = ReplayTables(config=self._config)
        axi, tables = self.axi, self.tables
        for name in writes.axi.signature.members:
            if (name.startswith(("aw", "w")) and not name.endswith("ready")) or name == "bready":
                m.d.comb += getattr(writes.axi, name).eq(getattr(axi, name))
        m.d.comb += [
            *(getattr(axi, name).eq(getattr(writes.axi, name)) for name in ("awready", "wready", "bvalid", "bid")),
            axi.bresp.eq(writes.axi.bresp),
            writes.latency.eq(self.latency),
            writes.cycles_per_beat.eq(self.cycles_per_beat),
            tables.read_index.eq(address >> exact_log2(self._config.bus_bytes)),
            *(getattr(tables, name).eq(getattr(writes, name)) for name in ("write", "write_index", "write_word")),
        ]
        with m.If(burst_id == TABLES):
            m.d.comb += axi.rdata.eq(tables.read_word)

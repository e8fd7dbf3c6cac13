"""The DMA controller: fetches experts over AXI4, demand first, several bursts at once."""

from typing import NamedTuple

from amaranth import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import UnitConfig, bits_for
from .dma_burst import LENGTH_BITS, burst_layout
from .dma_choice import DEMAND, PREFETCH, BurstChoice
from .dma_legalizer import BurstLegalizer
from .dma_read import ReadTracker
from .dma_transfers import RETRY_BITS, TransferTable, slot_pulse
from .interfaces import (
    MAX_BURST_BEATS,
    Axi4ReadSignature,
    SinkSignature,
    descriptor_layout,
    status_layout,
    transfer_key,
)
from .late_queue import LateQueue
from .watchdog import TIMEOUT_BITS, Watchdog

PULSES = (
    "beat_demand",
    "beat_prefetch",
    "beat_discarded",
    "burst",
    "retry",
    "error_response",
    "protocol_error",
    "timed_out",
)
"""Names of the one-bit observation outputs that counters count."""


class DmaLatency(NamedTuple):
    """Cycles from one event on the DMA's ports to another; all with AXI and status ready and nothing else to do."""

    request: int = 3
    """Descriptor accepted -> ARVALID of its first burst."""
    burst_interval: int = 2
    """ARVALID of a request's burst -> ARVALID of its next."""
    turn_around: int = 2
    """Last R beat of a burst, at the limit of outstanding bursts -> ARVALID of the burst that waited for it."""
    retry: int = 4
    """Last R beat of a burst with an error -> ARVALID of the same burst again."""
    sink: int = 1
    """R beat -> its word on the sink."""
    status: int = 3
    """Last R beat of a transfer -> its status."""
    abort: int = 2
    """Abort of a transfer without outstanding bursts -> its status."""


def prefetch_request_layout(config: UnitConfig) -> data.StructLayout:
    """Return the state of the prefetch engine: `valid` while beats of its transfer are not yet requested.

    `most_left`: these are more than half of all. The rest counts only with `valid`.
    """
    beats = bits_for(config.slot_beats + 1)
    return data.StructLayout({"valid": 1, "slot": config.slot_bits, "promoted": 1, "beats_left": beats, "most_left": 1})


class DmaController(wiring.Component):
    """Fetches descriptors' words over AXI4 into slots, with demand before prefetch at every burst boundary.

    Order of bursts: one to be fetched again, the prefetch request if promoted, the demand request, the prefetch
    request. A transfer whose bursts had more than `retries` errors requests nothing more and fails.

    Latency: see `DmaLatency`. A last R beat in cycle t gives the status in t + 3 and, where the limit of
    outstanding bursts held one back, ARVALID in t + 2. With N = `outstanding` bursts of C link cycles each and a
    memory whose first beat may occupy the link L cycles after the address is accepted, last beats come at
    `end[i + N] = end[i] + max(N * C, L' + C)` with L' = L + turn_around - 1.
    Throughput: one beat a cycle; the bus is full while N * C >= L' + C, bursts have two beats or more and the
    next descriptor is there when the engine's last burst is taken.

    Parameters
    ----------
    config : UnitConfig
        `outstanding` bursts and `outstanding + 2` transfers at most.

    Members
    -------
    prefetch, demand : In(stream of descriptor_layout)
        A request engine each; ready when it holds no beats that are not yet requested, and the table has an entry.
        Addresses must be multiples of `bus_bytes`; 0 beats end at once as DONE, a refused descriptor as FAILED.
    promote, abort : In({valid, slot})
        The transfer accepted in an earlier cycle that fills this slot becomes demanded, or requests nothing more and
        ends as drained once its bursts are in. Both hold from the next cycle on: a burst that is chosen in the same one
        goes. Beats from the next cycle on are discarded. An abort counts until the status is taken, so `drained` may
        rise while a status waits. Without such a transfer nothing happens.
    status : Out(stream of status_layout)
        Exactly one for each transfer.
    sink : Out(SinkSignature)
    axi : Out(Axi4ReadSignature)
        64-bit addresses, INCR bursts within 4 KiB lines; ARID 1 for bursts of demanded transfers.
    outstanding, burst_beats : In
        Limits, 1 to the configuration's and to 256; 0 counts as 1, too much as the largest. Changes count
        for bursts not yet on AR, two cycles later.
    retries, qos_demand, qos_prefetch, cache, prot : In
        Errors that a transfer survives; AR signals, by class.
    prefetch_request : Out(prefetch_request_layout)
    demand_busy, idle : Out(1)
        A demanded transfer is under way; nothing is, and no status waits.
    timeout : In(24)
        Cycles without an address taken or a beat come, while a transfer is under way, after which all such transfers
        fail, or drain if aborted; 0 for never. A change counts at once. What still comes of them is thrown away.
    overdue : Out(1)
        Bursts of such transfers have not all come; `idle` waits for them.
    requesting : Out(1)
        Beats are left to be requested, the first time or again; only where tables lie in memory.
    beat_demand, beat_prefetch, beat_discarded : Out(1)
        Exactly one pulses for each expected R beat, one cycle after it; discarded are beats of aborted transfers and
        those of a burst from its first error response on.
    burst, retry, error_response, protocol_error : Out(1)
        Pulses: a burst goes to AR; it is one fetched again; a burst ended with an error; a beat came for an ID with
        nothing outstanding (ignored), or with a wrong RLAST (beats are counted instead).
    timed_out : Out(1)
        Pulse: `timeout` has run out.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        descriptors = stream.Signature(descriptor_layout(config))
        members = {
            "prefetch": In(descriptors),
            "demand": In(descriptors),
            "promote": In(slot_pulse(config)),
            "abort": In(slot_pulse(config)),
            "status": Out(stream.Signature(status_layout(config))),
            "sink": Out(SinkSignature(config)),
            "axi": Out(Axi4ReadSignature(config)),
            "outstanding": In(bits_for(config.outstanding + 1)),
            "burst_beats": In(bits_for(MAX_BURST_BEATS + 1)),
            "retries": In(RETRY_BITS),
            "qos_demand": In(4),
            "qos_prefetch": In(4),
            "cache": In(4),
            "prot": In(3),
            "timeout": In(TIMEOUT_BITS),
            "overdue": Out(1),
            "prefetch_request": Out(prefetch_request_layout(config)),
            "demand_busy": Out(1),
            "idle": Out(1),
        }
        if config.pages_tables:
            members["requesting"] = Out(1)
        super().__init__(members | {name: Out(1) for name in PULSES})

    @property
    def latency(self) -> DmaLatency:
        """Latencies in cycles."""
        return DmaLatency()

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        config = self._config
        m.submodules.table = table = TransferTable(config=config)
        m.submodules.reader = reader = ReadTracker(config=config)
        engines = [BurstLegalizer(config=config) for _ in range(2)]
        m.submodules.prefetch_engine, m.submodules.demand_engine = engines
        # Bursts under way and bursts in here never exceed `outstanding`, since none is requested while one is here.
        again = LateQueue(shape=burst_layout(config), depth=config.outstanding + 1)
        m.submodules.again = ResetInserter(self.timed_out)(again)

        # That the queue is not empty, from a flip-flop: the choice between its burst and others hangs on it.
        self._repeats = Signal()
        stay = (again.level > 1) | ((again.level == 1) & ~(again.oldest.valid & again.oldest.ready))
        m.d.sync += self._repeats.eq(~self.timed_out & (again.push | stay))

        if config.pages_tables:
            ended = reader.ended.valid & reader.ended.error
            m.d.comb += self.requesting.eq(Cat(e.active for e in engines).any() | self._repeats | ended)
        self._limits(m, engines, reader)
        self._accept(m, engines, table)
        self._address_channel(m, engines, table, reader, again)
        self._burst_ends(m, engines, table, reader, again)
        self._watch(m, table, reader)
        wiring.connect(m, wiring.flipped(self.sink), reader.sink)
        wiring.connect(m, wiring.flipped(self.status), table.status)
        m.d.comb += [
            table.promote.eq(self.promote),
            table.abort.eq(self.abort),
            table.retries.eq(self.retries),
            self.demand_busy.eq(table.demand_busy),
            self.idle.eq(~table.busy & ~self.axi.arvalid & ~reader.overdue),
        ]
        return m

    def _limits(self, m, engines, reader):
        """Bring the live limits into range, one cycle ahead of their use."""
        most = self._config.outstanding
        length = Signal(LENGTH_BITS)
        too_many = self.outstanding > most
        m.d.comb += reader.limit.eq(Mux(too_many, most, Mux(self.outstanding == 0, 1, self.outstanding)))
        too_long = self.burst_beats > MAX_BURST_BEATS
        m.d.sync += length.eq(Mux(too_long, MAX_BURST_BEATS - 1, Mux(self.burst_beats == 0, 0, self.burst_beats - 1)))
        m.d.comb += [engine.limit.eq(length) for engine in engines]

    def _accept(self, m, engines, table):
        config = self._config
        for which, descriptor in ((PREFETCH, self.prefetch), (DEMAND, self.demand)):
            engine = engines[which]
            m.d.comb += [
                descriptor.ready.eq(~engine.active & table.free[which]),
                engine.load.eq(descriptor.valid & descriptor.ready),
                engine.descriptor.eq(descriptor.payload),
                engine.transfer.eq(table.index[which]),
                table.opened[which].valid.eq(engine.load),
                table.opened[which].slot.eq(descriptor.payload.slot),
                table.opened[which].requesting.eq(descriptor.payload.beats != 0),
                *(table.opened[which][name].eq(descriptor.payload[name]) for name in transfer_key(config)),
            ]
            if self._config.segments > 1:
                refused = descriptor.payload.refused
                m.d.comb += [
                    table.opened[which].requesting.eq((descriptor.payload.beats != 0) & ~refused),
                    table.opened[which].refused.eq(refused),
                ]
        request = engines[PREFETCH]
        # The table's `demanded` of this transfer, while there is one; a flip-flop of its own needs no selection.
        self._promoted = Signal()
        with m.If(~request.active):
            m.d.sync += self._promoted.eq(0)
        with m.Elif(self.promote.valid & (self.promote.slot == request.burst.slot)):
            m.d.sync += self._promoted.eq(1)
        m.d.comb += [
            self.prefetch_request.valid.eq(request.active),
            self.prefetch_request.slot.eq(request.burst.slot),
            self.prefetch_request.promoted.eq(self._promoted),
            self.prefetch_request.beats_left.eq(request.beats_left),
            self.prefetch_request.most_left.eq(request.most_left),
        ]

    def _address_channel(self, m, engines, table, reader, again):
        """Put the first burst in order on AR."""
        m.submodules.choice = chooser = BurstChoice(config=self._config)
        choice = chooser.choice
        # A burst whose error shows this cycle may come into the queue: it goes ahead of all others.
        held = (reader.ended.valid & reader.ended.error) | self.timed_out
        m.d.comb += [
            chooser.go.eq(reader.room & ~held & (~self.axi.arvalid | self.axi.arready)),
            chooser.repeats.eq(self._repeats),
            chooser.repeated_valid.eq(again.oldest.valid),
            chooser.repeated.eq(again.oldest.payload),
            chooser.active.eq(Cat(engine.active for engine in engines)),
            chooser.ready.eq(Cat(engine.valid for engine in engines)),
            *(burst.eq(engine.burst) for burst, engine in zip(chooser.bursts, engines, strict=True)),
            chooser.promoted.eq(self._promoted),
            chooser.demanded.eq(table.demanded),
            chooser.stopped.eq(table.stopped),
            engines[PREFETCH].take.eq(choice.prefetch),
            engines[DEMAND].take.eq(choice.demand),
            again.oldest.ready.eq(choice.repeat | choice.drop),
            reader.coming.eq(chooser.active.any() | self._repeats),
            reader.push.valid.eq(choice.valid),
            reader.push.id.eq(choice.demanded),
            reader.push.burst.eq(chooser.burst),
            reader.accepted.eq(self.axi.arvalid & self.axi.arready),
            reader.accepted_id.eq(self.axi.arid),
        ]
        # The table hears of it a cycle later: the choice is known late, and all entries ask for it. After a timeout it
        # has no bursts left that could be dropped.
        m.d.sync += [
            table.dropped.valid.eq(choice.drop & ~self.timed_out),
            table.dropped.transfer.eq(chooser.repeated.transfer),
        ]
        for taken, engine in zip(table.taken, engines, strict=True):
            m.d.sync += [
                taken.valid.eq(engine.take),
                taken.transfer.eq(engine.burst.transfer),
                taken.last.eq(engine.last),
            ]
        self._drive_address(m, choice.valid, chooser.burst, choice.demanded)
        m.d.sync += [self.burst.eq(choice.valid), self.retry.eq(choice.repeat)]

    def _drive_address(self, m, valid, burst, demand):
        axi = self.axi
        word_bytes_log2 = exact_log2(self._config.bus_bytes)
        m.d.comb += [
            axi.arsize.eq(word_bytes_log2),
            axi.arburst.eq(1),
            axi.rready.eq(1),
        ]
        with m.If(~axi.arvalid | axi.arready):
            m.d.sync += [
                axi.arvalid.eq(valid),
                axi.araddr.eq(burst.word << word_bytes_log2),
                axi.arid.eq(demand),
                axi.arlen.eq(burst.length),
                axi.arqos.eq(Mux(demand, self.qos_demand, self.qos_prefetch)),
                axi.arcache.eq(self.cache),
                axi.arprot.eq(self.prot),
            ]

    def _burst_ends(self, m, engines, table, reader, again):
        ended = reader.ended
        m.d.comb += [
            *(
                getattr(reader, name).eq(getattr(self.axi, name))
                for name in ("rvalid", "rid", "rdata", "rresp", "rlast")
            ),
            reader.aborted.eq(table.aborted),
            table.ended.valid.eq(ended.valid),
            table.ended.transfer.eq(ended.burst.transfer),
            table.ended_error.eq(ended.error),
            again.offer.eq(ended.valid & ended.error),
            again.word.eq(ended.burst),
            again.push.eq(table.again),
            self.error_response.eq(ended.valid & ended.error),
            self.beat_demand.eq(reader.beat_used & reader.beat_id),
            self.beat_prefetch.eq(reader.beat_used & ~reader.beat_id),
            self.beat_discarded.eq(reader.beat_discarded),
            self.protocol_error.eq(reader.protocol_error),
        ]
        for engine in engines:
            failed = table.failing & (ended.burst.transfer == engine.burst.transfer)
            aborted = self.abort.valid & (self.abort.slot == engine.burst.slot)
            m.d.comb += engine.stop.eq(engine.active & (failed | self.timed_out | aborted))

    def _watch(self, m, table, reader):
        """Give up what memory does not serve; neither a burst's end nor a new burst falls into that cycle."""
        m.submodules.watchdog = watchdog = Watchdog()
        taken, came = self.axi.arvalid & self.axi.arready, self.axi.rvalid
        m.d.comb += [
            watchdog.limit.eq(self.timeout),
            watchdog.waits.eq(table.waits),
            watchdog.progress.eq(taken | came),
            self.timed_out.eq(watchdog.expired),
            table.fail.eq(self.timed_out),
            reader.void.eq(self.timed_out),
            self.overdue.eq(reader.overdue),
        ]

"""The table of transfers under way: what each still waits for, and how it ends."""

from functools import reduce
from operator import or_
from typing import NamedTuple

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .config import UnitConfig, bits_for
from .dma_burst import transfer_bits, transfer_count
from .interfaces import status_layout, transfer_key
from .records import Fill

RETRY_BITS = 4
"""Width of the number of retries, as in the settings."""


def slot_pulse(config: UnitConfig) -> data.StructLayout:
    """Return a one-cycle request that names a transfer by its slot."""
    return data.StructLayout({"valid": 1, "slot": config.slot_bits})


def transfer_pulse(config: UnitConfig) -> data.StructLayout:
    """Return a one-cycle event of one transfer."""
    return data.StructLayout({"valid": 1, "transfer": transfer_bits(config)})


def taken_pulse(config: UnitConfig) -> data.StructLayout:
    """Return the one-cycle event of a transfer's burst that is requested."""
    return data.StructLayout({"valid": 1, "transfer": transfer_bits(config), "last": 1})


class _Transfer(NamedTuple):
    """Flip-flops of one entry; the entry is free while `valid` is 0."""

    valid: Signal
    slot: Signal
    demanded: Signal
    requesting: Signal
    """A request engine still holds beats of it."""
    bursts: Signal
    """Bursts requested and not ended for good: under way, or waiting to be fetched again."""
    tries: Signal
    aborted: Signal
    failed: Signal

    @classmethod
    def create(cls, config: UnitConfig, index: int) -> "_Transfer":
        widths = (1, config.slot_bits, 1, 1, bits_for(config.outstanding + 1), RETRY_BITS, 1, 1)
        return cls(*(Signal(w, name=f"{name}_{index}") for name, w in zip(cls._fields, widths, strict=True)))


class TransferTable(wiring.Component):
    """Follows every transfer from its descriptor to its status.

    Class 1 is demand, class 0 prefetch. A transfer ends when its engine holds nothing of it and each of its
    bursts has ended for good. Statuses leave in batches, lowest entry first within a batch, so none waits for
    more than the other entries.

    Latency: two cycles from the last event of a transfer (`ended`, `dropped`, `abort`) to `status.valid`; flags
    one cycle. `taken` and `dropped` may be told a cycle late, both alike, but `dropped` not after `fail`. Throughput:
    one new transfer of each class, one ended and one dropped burst, and one status a cycle.

    Parameters
    ----------
    config : UnitConfig
        `outstanding + 2` entries.

    Members
    -------
    free, index : Out, one for each class
        Whether the class may open a transfer, and the entry that it gets. The last free
        entry is kept for a demand.
    opened : In, one for each class
        {valid, slot, requesting}: a descriptor is accepted; `requesting` is 0 if it has no beats. With `parity` also
        the {layer, expert} that its status names. With
        `segments` > 1 also `refused`: it fails at once; `requesting` is then 0.
    taken : In, one for each class's engine
        {valid, transfer, last}: a burst leaves the engine, the transfer's last one if `last`.
    ended, dropped : In(transfer_pulse)
        A burst's last beat came; a burst that waited to be fetched again was given up.
    ended_error : In(1)
        The ended burst had an error response.
    again, failing : Out(1)
        What follows from it, in the same cycle: the burst is to be fetched again; or the transfer fails now.
    promote, abort : In(slot_pulse)
    fail : In(1)
        Pulse, not with `ended`: every transfer that still waits for memory has failed and waits no more.
    retries : In(4)
        Bursts of one transfer that may be fetched again.
    aborted, stopped, demanded : Out, a bit for each entry
        `stopped`: aborted or failed, nothing more is to be requested.
    status : Out(stream)
        `drained` of a waiting status may still rise: an abort counts until its status is taken.
    busy, demand_busy : Out(1)
        A transfer, or a demanded one, is under way or has a status waiting.
    waits : Out(1)
        A transfer is under way: beats are to be requested or to come.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        refused = {"refused": 1} if config.segments > 1 else {}
        opened = data.StructLayout(
            {"valid": 1, "slot": config.slot_bits, "requesting": 1, **refused, **transfer_key(config)}
        )
        count = transfer_count(config)
        super().__init__(
            {
                "free": Out(1).array(2),
                "index": Out(transfer_bits(config)).array(2),
                "opened": In(opened).array(2),
                "taken": In(taken_pulse(config)).array(2),
                "ended": In(transfer_pulse(config)),
                "ended_error": In(1),
                "again": Out(1),
                "failing": Out(1),
                "dropped": In(transfer_pulse(config)),
                "promote": In(slot_pulse(config)),
                "abort": In(slot_pulse(config)),
                "fail": In(1),
                "retries": In(RETRY_BITS),
                "aborted": Out(count),
                "stopped": Out(count),
                "demanded": Out(count),
                "status": Out(stream.Signature(status_layout(config))),
                "busy": Out(1),
                "demand_busy": Out(1),
                "waits": Out(1),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        entries = [_Transfer.create(self._config, index) for index in range(transfer_count(self._config))]
        self._taken = [
            Cat(pulse.valid & (pulse.transfer == index) for pulse in self.taken) for index in range(len(entries))
        ]
        # Those that wait for memory; after an abort a transfer's last burst may not have been counted yet.
        self._unfinished = [
            entry.valid & (entry.requesting | (entry.bursts != 0) | taken.any())
            for entry, taken in zip(entries, self._taken, strict=True)
        ]
        self._choose_entries(m, entries)
        exhausted = Signal(len(entries))
        m.d.comb += [
            exhausted.eq(Cat(entry.tries >= self.retries for entry in entries)),
            self.aborted.eq(Cat(entry.aborted for entry in entries)),
            self.stopped.eq(Cat(entry.aborted | entry.failed for entry in entries)),
            self.demanded.eq(Cat(entry.demanded for entry in entries)),
            self.busy.eq(Cat(entry.valid for entry in entries).any()),
            self.demand_busy.eq(Cat(entry.valid & entry.demanded for entry in entries).any()),
            self.waits.eq(Cat(self._unfinished).any()),
        ]
        erring = self.ended.valid & self.ended_error & ~self.stopped.bit_select(self.ended.transfer, 1)
        none_left = exhausted.bit_select(self.ended.transfer, 1)
        m.d.comb += [self.again.eq(erring & ~none_left), self.failing.eq(erring & none_left)]
        for index, entry in enumerate(entries):
            self._follow(m, index, entry)
        self._keep_keys(m, self._report(m, entries))
        return m

    def _choose_entries(self, m, entries):
        """Offer demand the lowest free entry and prefetch the highest, so that both may be taken at once.

        The last free entry is demand's. What is free stays free until it is taken: the commit port looks at ready
        long before it hands a descriptor over.
        """
        count = len(entries)
        used = Cat(entry.valid for entry in entries)
        self._offered = [Signal(count, name="highest_free"), Signal(count, name="lowest_free")]
        highest, lowest = self._offered
        m.d.comb += [
            lowest.eq(_first_set(~used)),
            highest.eq(_first_set((~used)[::-1])[::-1]),
            self.free[1].eq(~used.all()),
            self.free[0].eq((lowest & ~highest).any()),
            *(
                number.eq(_any_of(Mux(offered[index], index, 0) for index in range(count)))
                for number, offered in zip(self.index, self._offered, strict=True)
            ),
        ]

    def _follow(self, m, index: int, entry: _Transfer):
        def hit(pulse) -> ValueLike:
            return pulse.valid & (pulse.transfer == index)

        named = [pulse.valid & entry.valid & (pulse.slot == entry.slot) for pulse in (self.promote, self.abort)]
        ended_for_good = hit(self.ended) & ~self.again
        taken = self._taken[index]
        left = Signal.like(entry.bursts, name=f"left_{index}")
        m.d.comb += left.eq(entry.bursts - ended_for_good)
        m.d.sync += entry.bursts.eq(Mux(taken.any(), left + 1, Mux(hit(self.dropped), left - 1, left)))
        with m.If((taken & Cat(pulse.last for pulse in self.taken)).any()):
            m.d.sync += entry.requesting.eq(0)
        with m.If(hit(self.ended) & self.again):
            m.d.sync += entry.tries.eq(entry.tries + 1)
        with m.If(hit(self.ended) & self.failing):
            m.d.sync += [entry.failed.eq(1), entry.requesting.eq(0)]
        with m.If(named[0]):
            m.d.sync += entry.demanded.eq(1)
        with m.If(named[1]):
            m.d.sync += [entry.aborted.eq(1), entry.requesting.eq(0)]
        with m.If(self.fail & self._unfinished[index]):
            m.d.sync += [entry.failed.eq(1), entry.requesting.eq(0), entry.bursts.eq(0)]
        # Cleared while free rather than when opened, which is known late in the cycle; `bursts` ends at 0 by itself.
        with m.If(~entry.valid):
            m.d.sync += [entry.tries.eq(0), entry.aborted.eq(0), entry.failed.eq(0)]
        for demanded, (opened, offered) in enumerate(zip(self.opened, self._offered, strict=True)):
            with m.If(opened.valid & offered[index]):
                m.d.sync += [
                    entry.valid.eq(1),
                    entry.slot.eq(opened.slot),
                    entry.demanded.eq(demanded),
                    entry.requesting.eq(opened.requesting),
                ]
                if self._config.segments > 1:
                    m.d.sync += entry.failed.eq(opened.refused)

    def _keep_keys(self, m, reported):
        """Keep each transfer's expert from its descriptor to its status."""
        for index in range(len(reported)):
            for name, width in transfer_key(self._config).items():
                kept = Signal(width, name=f"{name}_{index}")
                for opened, offered in zip(self.opened, self._offered, strict=True):
                    with m.If(opened.valid & offered[index]):
                        m.d.sync += kept.eq(opened[name])
                with m.If(reported[index]):
                    m.d.comb += self.status.payload[name].eq(kept)

    def _report(self, m, entries):
        """Serve complete transfers in batches, so that a payload stays while it waits and no entry starves.

        Return a bit for each entry: its status is on offer.
        """
        complete = Cat(entry.valid & ~waits for entry, waits in zip(entries, self._unfinished, strict=True))
        batch = Signal(len(entries))
        first, next_first = Signal(len(entries)), Signal(len(entries))
        slot = Signal(self._config.slot_bits)
        remaining = Signal(len(entries))
        following = Signal(len(entries))
        m.d.comb += [
            remaining.eq(batch & ~Mux(self.status.ready, first, 0)),
            following.eq(Mux(remaining.any(), remaining, complete & ~batch)),
            next_first.eq(_first_set(following)),
        ]
        named = (Mux(which, entry.slot, 0) for which, entry in zip(next_first, entries, strict=True))
        m.d.sync += [
            batch.eq(following),
            first.eq(next_first),
            slot.eq(_any_of(named)),
            self.status.valid.eq(following.any()),
        ]
        payload = self.status.payload
        failed = Cat(entry.failed for entry in entries) & first
        m.d.comb += [
            payload.slot.eq(slot),
            payload.fill.eq(Mux(failed.any(), Fill.FAILED, Fill.DONE)),
            payload.drained.eq((self.aborted & first).any()),
        ]
        for which, entry in zip(first, entries, strict=True):
            with m.If(which & self.status.ready):
                m.d.sync += entry.valid.eq(0)
        return first


def _first_set(bits):
    """Return the lowest bit that is set, alone; each bit by gates of its own, as a carry chain is slower."""
    return Cat(bits[0], *(bits[index] & ~bits[:index].any() for index in range(1, len(bits))))


def _any_of(values):
    """Return the one value that is not 0, by gates in parallel."""
    return reduce(or_, values)

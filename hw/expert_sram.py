"""Banked expert SRAM: the room for experts, and the crossbar from its banks to processing elements."""

from itertools import zip_longest

from amaranth import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import UnitConfig, bits_for
from .interfaces import SinkSignature, SlotReadSignature
from .sram_bank import SramBank


class ExpertSram(wiring.Component):
    """Holds `slots` experts in `banks` single-port banks as wide as the bus; one writer, `n_pe` readers.

    Word `beat` of `slot` lies in bank `slot % banks` at address `(slot // banks) * slot_beats + beat`. The
    writer and all readers work at once in different banks. In one bank the writer goes first, then the lowest
    reader; the priority is fixed, so that conflicts follow from the accesses alone. No reader starves: every
    word that it waits for belongs to a read that ends, and an event ends only when all its experts have been
    read.

    Latency: a read's word comes `latency` = 1 cycle after `valid & ready`, for that one cycle. A written word
    is taken always and enters its bank `write_latency` = 1 cycle later, which is when the bank is busy; a
    read accepted after the write was offered never sees the old word except in the very cycle of the offer.
    Throughput: a word a cycle for the writer and for each reader whose bank is free.

    Members
    -------
    write : In(SinkSignature)
        Fetched words; slot and beat in range.
    read : In(SlotReadSignature) * n_pe
        Read ports; `ready` does not wait for `valid`. Slot and beat in range.
    conflict : Out(n_pe)
        Readers that lost their bank in this cycle: `valid & ~ready`.
    """

    latency = 1
    write_latency = 1

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            {
                "write": In(SinkSignature(config)),
                "read": In(SlotReadSignature(config)).array(config.n_pe),
                "conflict": Out(config.n_pe),
            }
        )
        depth = config.slots // config.banks * config.slot_beats
        self._place_layout = data.StructLayout({"bank": bits_for(config.banks), "addr": bits_for(depth)})
        self._banks = [SramBank(depth=depth, width=config.bus_bytes * 8) for _ in range(config.banks)]

    def elaborate(self, platform):
        """Build the banks, the write register, the arbitration and the read multiplexers."""
        m = Module()
        s1_write = Signal()
        s1_write_place = Signal(self._place_layout)
        s1_write_data = Signal(self._config.bus_bytes * 8)
        m.d.sync += [
            s1_write.eq(self.write.valid),
            s1_write_place.eq(self._place(m, self.write)),
            s1_write_data.eq(self.write.data),
        ]
        places = [self._place(m, port) for port in self.read]
        words = [bank.rdata for bank in self._banks]
        for p, (port, place) in enumerate(zip(self.read, places, strict=True)):
            taken = s1_write & (s1_write_place.bank == place.bank)
            for q in range(p):
                taken |= self.read[q].valid & (places[q].bank == place.bank)
            m.d.comb += [port.ready.eq(~taken), self.conflict[p].eq(port.valid & taken)]
        for b, bank in enumerate(self._banks):
            m.submodules[f"bank_{b}"] = bank
            m.d.sync += bank.we.eq(self.write.valid & (bank_of(self._config, self.write.slot) == b))
            m.d.comb += bank.wdata.eq(s1_write_data)
            self._connect_address(m, b, s1_write_place, places)
        for p, (port, place) in enumerate(zip(self.read, places, strict=True)):
            s1_bank = Signal.like(place.bank, name=f"s1_bank_{p}")
            m.d.sync += s1_bank.eq(place.bank)
            m.d.comb += port.data.eq(_select(words, s1_bank))
        return m

    def _connect_address(self, m, index: int, write_place, read_places):
        """Give bank `index` the address of the first port in priority order that wants it."""
        bank: SramBank = self._banks[index]
        wants = [
            bank.we,
            *(port.valid & (p.bank == index) for port, p in zip(self.read, read_places, strict=True)),
        ]
        m.d.comb += bank.en.eq(Cat(wants).any())
        for want, place in reversed(list(zip(wants, [write_place, *read_places], strict=True))):
            with m.If(want):
                m.d.comb += bank.addr.eq(place.addr)

    def _place(self, m, port):
        """Return where the word that `port` names lies."""
        config = self._config
        place = Signal(self._place_layout)
        # A table, as tools make a slow multiplier of a product by a constant.
        if config.banks.bit_count() == 1:
            row, rows = port.slot[exact_log2(config.banks) :], range(config.slots // config.banks)
        else:
            row, rows = port.slot, (slot // config.banks for slot in range(config.slots))
        base = Array(index * config.slot_beats for index in rows)[row]
        m.d.comb += [place.bank.eq(bank_of(config, port.slot)), place.addr.eq(base + port.beat)]
        return place


def bank_of(config: UnitConfig, slot: Value) -> Value:
    """Return the bank that a slot lies in: `slot % banks`, without a divider."""
    if config.banks.bit_count() == 1:
        return slot[: exact_log2(config.banks)]
    return Array(s % config.banks for s in range(config.slots))[slot]


def _select(words: list, index: Value) -> Value:
    """Return the word at `index` through a tree of multiplexers: simulators copy words, and shift no wide vector."""
    for bit in index:
        pairs = zip_longest(words[::2], words[1::2])
        words = [low if high is None else Mux(bit, high, low) for low, high in pairs]
    return words[0]

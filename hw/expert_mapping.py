"""Expert mapping unit: hands out grants so that processing elements read different banks at a time."""

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .config import UnitConfig, bits_for
from .expert_sram import bank_of
from .interfaces import SlotReadSignature, grant_layout
from .records import GrantStatus


class ExpertMapping(wiring.Component):
    """Passes grants on, the oldest first of those whose bank no granted expert is being read from.

    Source: ST-MoE's expert mapping unit (arXiv 2606.15453); there a permutation network, here the order, since any
    element can read any bank. A bank is taken from a grant's handshake until the last word of its slot is
    accepted or the grant comes back, so two elements never ask for one bank. Waiting costs nothing: the words of a bank
    come one a cycle, whoever asks first. An error grant has no data and needs no bank.

    The `mapping_window` oldest grants are looked at.

    Latency: `latency` = 1 cycle from `granted` to `grant` while its bank is free; a bank that comes free is seen in the
    cycle after its last word was accepted. Throughput: a grant a cycle.

    Members
    -------
    granted : In(stream)
        Grants in the order in which their experts became ready.
    grant : Out(stream)
        The same, mapped. An offered grant stays.
    read : In(SlotReadSignature) * n_pe
        The elements' reads, only looked at.
    expert_beats : In
        Words of an expert.
    release : In(stream)
        Grants that come back, only looked at.
    held : Out
        There is a grant, and none whose bank is free.
    """

    latency = 1

    def __init__(self, *, config: UnitConfig):
        self._config = config
        grant = stream.Signature(grant_layout(config))
        super().__init__(
            {
                "granted": In(grant),
                "grant": Out(grant),
                "read": In(_observed(SlotReadSignature(config))).array(config.n_pe),
                "expert_beats": In(bits_for(config.slot_beats + 1)),
                "release": In(_observed(grant)),
                "held": Out(1),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        config = self._config
        entry = data.StructLayout({"valid": 1, "bank": bits_for(config.banks), "grant": grant_layout(config)})
        window = [Signal(entry, name=f"entry_{i}") for i in range(config.mapping_window)]
        taken = self._banks_taken(m)
        free = [e.valid & (~taken.bit_select(e.bank, 1) | (e.grant.status == GrantStatus.ERROR)) for e in window]
        first, chosen, offered = (Signal(range(len(window)), name=name) for name in ("first", "chosen", "offered"))
        waits = Signal()
        for i in reversed(range(len(window))):
            with m.If(free[i]):
                m.d.comb += first.eq(i)
        m.d.comb += [
            chosen.eq(Mux(waits, offered, first)),
            self.grant.valid.eq(waits | Cat(free).any()),
            self.grant.payload.eq(Array(e.grant.as_value() for e in window)[chosen]),
            self.held.eq(window[0].valid & ~self.grant.valid),
        ]
        m.d.sync += [waits.eq(self.grant.valid & ~self.grant.ready), offered.eq(chosen)]
        self._advance(m, window, chosen)
        return m

    def _advance(self, m, window, chosen):
        """Close the gap that a grant leaves, and take the next one from behind."""
        do_grant = self.grant.valid & self.grant.ready
        room = ~window[-1].valid | do_grant
        m.d.comb += self.granted.ready.eq(room)
        arriving = self._entry(m, window[0].shape(), self.granted.valid)
        moved = [*window[1:], None]
        after = []
        for i, entry in enumerate(window):
            behind = moved[i]
            stays = ~do_grant | (i < chosen)
            kept = Signal.like(entry, name=f"kept_{i}")
            m.d.comb += kept.eq(Mux(stays, entry.as_value(), 0 if behind is None else behind.as_value()))
            after.append(kept)
        for i, (entry, kept) in enumerate(zip(window, after, strict=True)):
            is_next = ~kept.valid & (1 if i == 0 else after[i - 1].valid)
            m.d.sync += entry.eq(Mux(is_next, arriving, kept.as_value()))

    def _entry(self, m, layout, valid):
        """Return a window entry for the grant that arrives, empty if none does."""
        payload = self.granted.payload
        bank = Signal(layout["bank"].shape)
        m.d.comb += bank.eq(bank_of(self._config, payload.slot))
        return Mux(valid, Cat(Const(1, 1), bank, payload.as_value()), 0)

    def _banks_taken(self, m):
        """Return a bit for each bank that a granted expert is being read from."""
        config = self._config
        taken = Signal(config.banks)
        place = Signal(data.ArrayLayout(config.slot_bits, config.banks))
        returned = self.release.payload
        do_release = self.release.valid & self.release.ready & (returned.status != GrantStatus.ERROR)
        for bank in range(config.banks):
            slot = place[bank]
            ends = do_release & (returned.slot == slot)
            for read in self.read:
                ends |= read.valid & read.ready & (read.slot == slot) & (read.beat + 1 == self.expert_beats)
            with m.If(ends):
                m.d.sync += taken[bank].eq(0)
        granted = self.grant.payload
        with m.If(self.grant.valid & self.grant.ready & (granted.status != GrantStatus.ERROR)):
            bank = bank_of(config, granted.slot)
            m.d.sync += [taken.bit_select(bank, 1).eq(1), place[bank].eq(granted.slot)]
        return taken


def _observed(signature: wiring.Signature) -> wiring.Signature:
    """Return the signature with every member an input: for a part that looks on and drives nothing."""
    return wiring.Signature({name: Out(member.shape) for name, member in signature.members.items()})

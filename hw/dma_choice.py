"""Which burst goes to the address channel next."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import UnitConfig
from .dma_burst import burst_layout, transfer_count
from .dma_transfers import slot_pulse

PREFETCH, DEMAND = 0, 1
"""Classes of a transfer; also the ARID of a burst that is requested in that class."""


def choice_layout() -> data.StructLayout:
    """Return what becomes of the bursts on offer in one cycle.

    `repeat` and `drop` are of the one to be fetched again: it goes, it is given up. `prefetch` and `demand` say that
    engine's goes, `demanded` that the burst that goes is of a demanded transfer, `valid` that one goes at all.
    `of_demand`: the demand engine is the first in order.
    """
    names = ("repeat", "drop", "prefetch", "demand", "demanded", "valid", "of_demand")
    return data.StructLayout(dict.fromkeys(names, 1))


class BurstChoice(wiring.Component):
    """Chooses the first burst in order: one to be fetched again, the prefetch request if promoted, demand, prefetch.

    A pulse of this cycle counts already. Pulses are known late in a cycle: what would go is worked out for all values
    that they may have, and they only choose.

    Latency: none. Throughput: one choice a cycle.

    Members
    -------
    go : In(1)
        A burst may go.
    repeats, repeated_valid, repeated : In
        Bursts wait to be fetched again; the first of them is on `repeated`. Not `repeated_valid` without `repeats`.
    active, ready, bursts : In, one for each engine
        The engine has beats left to request; its next burst is cut, and is this one.
    demanded, stopped : In, a bit for each transfer
        As `TransferTable` tells them.
    promote, abort : In(slot_pulse)
    choice : Out(choice_layout)
    burst : Out
        The burst that goes; any if none does.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        burst = burst_layout(config)
        super().__init__(
            {
                "go": In(1),
                "repeats": In(1),
                "repeated_valid": In(1),
                "repeated": In(burst),
                "active": In(2),
                "ready": In(2),
                "bursts": In(data.ArrayLayout(burst, 2)),
                "demanded": In(transfer_count(config)),
                "stopped": In(transfer_count(config)),
                "promote": In(slot_pulse(config)),
                "abort": In(slot_pulse(config)),
                "choice": Out(choice_layout()),
                "burst": Out(burst),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        choices = [self._decide(m, abort, promote) for abort in (0, 1) for promote in (0, 1)]
        new = Mux(self.choice.of_demand, self.bursts[DEMAND], self.bursts[PREFETCH])
        m.d.comb += [
            self.choice.as_value().eq(Array(choices)[Cat(self.promote.valid, self.abort.valid)]),
            # Not `repeats`, which the decisions begin with: nothing goes while that alone is 1.
            self.burst.eq(Mux(self.repeated_valid, self.repeated, new)),
        ]
        return m

    def _decide(self, m, abort, promote):
        """Return the choice for given values of the pulses."""
        made = Signal(choice_layout(), name=f"choice_{abort}{promote}")
        prefetch = self.bursts[PREFETCH]

        def aborted(burst):
            return abort & (self.abort.slot == burst.slot)

        def demanded(burst):
            return self.demanded.bit_select(burst.transfer, 1) | (promote & (self.promote.slot == burst.slot))

        stopped = self.stopped.bit_select(self.repeated.transfer, 1) | aborted(self.repeated)
        wanted = [active & ~aborted(burst) for active, burst in zip(self.active, self.bursts, strict=True)]
        new = self.go & ~self.repeats
        m.d.comb += [
            made.repeat.eq(self.go & self.repeats & self.repeated_valid & ~stopped),
            made.drop.eq(self.repeats & self.repeated_valid & stopped),
            made.of_demand.eq(wanted[DEMAND] & ~(wanted[PREFETCH] & demanded(prefetch))),
            made.demand.eq(new & made.of_demand & self.ready[DEMAND]),
            made.prefetch.eq(new & ~made.of_demand & wanted[PREFETCH] & self.ready[PREFETCH]),
            made.valid.eq(made.repeat | made.prefetch | made.demand),
            made.demanded.eq(Mux(self.repeats, demanded(self.repeated), made.of_demand | demanded(prefetch))),
        ]
        return made.as_value()

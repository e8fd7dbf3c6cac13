"""Which burst goes to the address channel next."""

from amaranth import Module, Mux
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import UnitConfig
from .dma_burst import burst_layout, transfer_count

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

    All inputs but `go` are to come from flip-flops: what goes is asked for by much that follows in the same cycle.

    Latency: none. Throughput: one choice a cycle.

    Members
    -------
    go : In(1)
        A burst may go.
    repeats, repeated_valid, repeated : In
        Bursts wait to be fetched again; the first of them is on `repeated`. Not `repeated_valid` without `repeats`.
    active, ready, bursts : In, one for each engine
        The engine has beats left to request; its next burst is cut, and is this one.
    promoted : In(1)
        The prefetch engine's transfer is demanded.
    demanded, stopped : In, a bit for each transfer
        As `TransferTable` tells them.
    choice : Out(choice_layout)
    burst : Out
        The burst that goes; any if none does.
    """

    def __init__(self, *, config: UnitConfig):
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
                "promoted": In(1),
                "demanded": In(transfer_count(config)),
                "stopped": In(transfer_count(config)),
                "choice": Out(choice_layout()),
                "burst": Out(burst),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        choice = self.choice
        repeated_demanded = self.demanded.bit_select(self.repeated.transfer, 1)
        stopped = self.stopped.bit_select(self.repeated.transfer, 1)
        repeated = self.repeats & self.repeated_valid
        new = self.go & ~self.repeats
        first = Mux(choice.of_demand, self.bursts[DEMAND], self.bursts[PREFETCH])
        m.d.comb += [
            choice.repeat.eq(self.go & repeated & ~stopped),
            choice.drop.eq(repeated & stopped),
            choice.of_demand.eq(self.active[DEMAND] & ~(self.active[PREFETCH] & self.promoted)),
            choice.demand.eq(new & choice.of_demand & self.ready[DEMAND]),
            choice.prefetch.eq(new & ~choice.of_demand & self.active[PREFETCH] & self.ready[PREFETCH]),
            choice.valid.eq(choice.repeat | choice.prefetch | choice.demand),
            choice.demanded.eq(Mux(self.repeats, repeated_demanded, choice.of_demand | self.promoted)),
            # Not `repeats`, which the decisions begin with: nothing goes while that alone is 1.
            self.burst.eq(Mux(self.repeated_valid, self.repeated, first)),
        ]
        return m

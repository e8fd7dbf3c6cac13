"""The DMA controller does not stop: while a transfer is under way and memory serves, something moves."""

from amaranth.hdl import Signal

from ..engine import Proof
from ..harness import assume, check, implies
from ..seeding import Seed
from .dma_controller import READ, TABLE, DmaHarness

PATIENCE = 6
"""More cycles than any way through the controller takes."""


class ProgressHarness(DmaHarness):
    """The controller beside a fair memory, which takes each address at once and sends a beat whenever one is due.

    Bursts may end with errors. Each move brings a transfer nearer to its end, so none that demands do not overtake for
    good stays under way.
    """

    def claims(self, m):
        """While not idle, a descriptor, an address, a beat or a status is taken every few cycles."""
        dma, axi = self.dut, self.dut.axi
        assume(m, axi.arready, dma.status.ready)
        assume(m, implies(self.memory.queues[0][1] | self.memory.queues[1][1], axi.rvalid))
        accepted = (dma.demand.valid & dma.demand.ready) | (dma.prefetch.valid & dma.prefetch.ready)
        moves = accepted | axi.arvalid | axi.rvalid | dma.status.valid
        still = Signal(range(PATIENCE + 2))
        with m.If(moves | dma.idle):
            m.d.sync += still.eq(0)
        with m.Elif(still <= PATIENCE):
            m.d.sync += still.eq(still + 1)
        check(m, still < PATIENCE)


PROOFS = [
    Proof(
        name="dma-progress",
        claim="DMA: beside a fair memory something moves every few cycles until all transfers have ended",
        harness=ProgressHarness,
        depth=14,
        induction=False,
        seeds=(
            Seed("room-leaks", READ, "count + self.push.valid - end", "count + self.push.valid"),
            Seed("failed-still-requests", TABLE, "[entry.failed.eq(1), entry.requesting.eq(0)]", "entry.failed.eq(1)"),
        ),
        seed_depth=20,
    )
]

"""The DMA controller does not stop: while a transfer is under way and memory serves, something moves."""

from amaranth.hdl import Signal
from moefetch.hw.records import Fill

from ..cover import Cover
from ..engine import Proof
from ..harness import assume, check, implies
from ..seeding import Seed
from .dma_controller import CONFIG, READ, TABLE, DmaHarness

STALLS = 3
"""Cycles in a row for which memory may leave an address or a due beat waiting."""
PATIENCE = 6 + STALLS
"""More cycles than any way through the controller takes, and what it waits for within it."""


class ProgressHarness(DmaHarness):
    """The controller beside a fair memory, which takes an address, and sends a beat that is due, after `STALLS` cycles.

    Bursts may end with errors. Each move brings a transfer nearer to its end, so none that demands do not overtake for
    good stays under way.
    """

    def claims(self, m):
        """While not idle, a descriptor, an address, a beat or a status is taken every few cycles."""
        dma, axi = self.dut, self.dut.axi
        assume(m, dma.status.ready)
        self._fair(m, axi.arvalid, axi.arready, "ar")
        self._fair(m, self.memory.queues[0][1] | self.memory.queues[1][1], axi.rvalid, "r")
        accepted = (dma.demand.valid & dma.demand.ready) | (dma.prefetch.valid & dma.prefetch.ready)
        moves = accepted | (axi.arvalid & axi.arready) | axi.rvalid | dma.status.valid
        still = Signal(range(PATIENCE + 2))
        with m.If(moves | dma.idle):
            m.d.sync += still.eq(0)
        with m.Elif(still <= PATIENCE):
            m.d.sync += still.eq(still + 1)
        check(m, still < PATIENCE)

    def _fair(self, m, asked, served, name):
        """Assume that what is asked is served after `STALLS` cycles."""
        waited = Signal(range(STALLS + 1), name=f"{name}_waited")
        with m.If(asked & ~served):
            m.d.sync += waited.eq(waited + 1)
        with m.Else():
            m.d.sync += waited.eq(0)
        assume(m, implies(waited == STALLS, served | ~asked))


def progress_states(m, harness, probe):
    """Return the ends of a transfer of several words, and what a way through the controller may have to wait for."""
    dma, memory = harness.dut, harness.memory
    status, whole = dma.status.payload, harness.ends & (harness.beats_wanted == CONFIG.slot_beats)
    discarded, ended = Signal(), Signal()
    with m.If(dma.beat_discarded):
        m.d.sync += discarded.eq(1)
    with m.If(harness.ends):
        m.d.sync += ended.eq(1)
    return {
        "done": whole & ~status.drained & (status.fill == Fill.DONE),
        "failed": whole & ~status.drained & (status.fill == Fill.FAILED),
        "drained-of-beats": whole & status.drained & discarded,
        "demand-and-prefetch-due": memory.queues[0][1] & memory.queues[1][1],
        "all-bursts-out": memory.outstanding == CONFIG.outstanding,
        "idle-again": ended & dma.idle,
    }


PROOFS = [
    Proof(
        name="dma-progress",
        claim="DMA: beside a fair memory something moves every few cycles until all transfers have ended",
        harness=ProgressHarness,
        depth=18,
        induction=False,
        seeds=(
            Seed("room-leaks", READ, "count + self.push.valid - end", "count + self.push.valid"),
            Seed("failed-still-requests", TABLE, "[entry.failed.eq(1), entry.requesting.eq(0)]", "entry.failed.eq(1)"),
        ),
    )
]
COVERS = [Cover(PROOFS[0], depth=PROOFS[0].depth, states=progress_states)]

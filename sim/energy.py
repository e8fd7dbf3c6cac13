"""Energy of moving bits, modelled: a replay's counters times the prices of sim/energy_table.py.

In it are the experts' way over the link, their writing to slots and reading from them, and the predictor's tables.
Not in it are computing, attention's weights, refresh and static power, which no policy changes but by taking longer.
"""

from typing import NamedTuple

from .energy_table import EnergyPrices
from .replay_result import ReplayResult


class MovedBits(NamedTuple):
    """Bits at the model's real size (a scale undone), but for `tables`, which a scale does not shrink."""

    link: int
    slots: int
    tables: int
    wasted_link: int
    wasted_slots: int


def moved_bits(result: ReplayResult, wasted_beats: int, tables: int) -> MovedBits:
    """Return the bits that a replay moved; `tables` are those that its predictor read and wrote.

    Beats thrown away cross the link and are not written. Every expert that is granted with its data is read once.
    """
    counters, workload = result.counters, result.job.workload
    bits = workload.bus_bytes * 8 * workload.scale
    written = counters["demand_beats"] + counters["prefetch_beats"]
    read = (counters["demand"] - counters["error_grants"]) * workload.expert_beats
    discarded = counters["discarded_beats"]
    return MovedBits(
        link=(written + discarded) * bits,
        slots=(written + read) * bits,
        tables=tables,
        wasted_link=wasted_beats * bits,
        wasted_slots=max(0, wasted_beats - discarded) * bits,
    )


class Picojoules(NamedTuple):
    """Where a replay's energy goes; `wasted` is a part of `link` and `slots`."""

    link: float
    slots: float
    tables: float
    wasted: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.link + self.slots + self.tables


def picojoules(bits: MovedBits, prices: EnergyPrices) -> Picojoules:
    """Return the energy of moved bits."""
    return Picojoules(
        link=bits.link * prices.link,
        slots=bits.slots * prices.slots,
        tables=bits.tables * prices.tables,
        wasted=bits.wasted_link * prices.link + bits.wasted_slots * prices.slots,
    )

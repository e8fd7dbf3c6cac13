"""A replay's result with what its figures are compared with, and the sums that several figures share."""

from dataclasses import dataclass
from functools import cached_property

from .all_resident import all_resident_cycles
from .energy import Picojoules, moved_bits, picojoules
from .energy_table import EnergyPrices
from .event_columns import EventColumns
from .replay_result import ReplayResult
from .table_traffic import bits_of_events


@dataclass(frozen=True)
class Run:
    """A replay's result with what its figures are compared with.

    `baseline` is the result of policy none on the same job, None if it was not run; `prices` the platform's, None for
    figures without energy and area.
    """

    result: ReplayResult
    baseline: ReplayResult | None = None
    prices: EnergyPrices | None = None

    @property
    def tokens(self) -> int:
        """Tokens generated: those of each step's first event."""
        return EventColumns.of(self.result.job.events).tokens

    @property
    def link_beats(self) -> int:
        """Beats that crossed the link."""
        return link_beats(self.result)

    @property
    def wasted_beats(self) -> int:
        """Beats that crossed the link and were no use: all but those of misses, used prefetches and open ones."""
        return wasted_beats(self.result)

    @property
    def table_bits_moved(self) -> int:
        """Bits of its tables that the policy's predictor read and wrote."""
        return int(bits_of_events(self.result.job).sum())

    @cached_property
    def energy(self) -> Picojoules | None:
        """The energy of what was moved, None without prices."""
        return self._energy_of(self.result, self.table_bits_moved)

    @cached_property
    def baseline_energy(self) -> Picojoules | None:
        """That of the run without prefetch, which has no tables."""
        return None if self.baseline is None else self._energy_of(self.baseline, 0)

    def _energy_of(self, result: ReplayResult, tables: int) -> Picojoules | None:
        if self.prices is None:
            return None
        return picojoules(moved_bits(result, wasted_beats(result), tables), self.prices)

    @property
    def all_resident(self) -> int:
        """Cycles of the all-resident run."""
        return all_resident_cycles(self.result.job.events, self.result.job.workload)

    def real_bytes_per_token(self, beats: int) -> float | None:
        """Return bytes of the unscaled model a token."""
        workload = self.result.job.workload
        return ratio(beats * workload.bus_bytes * workload.scale, self.tokens)

    def real_microseconds(self, cycles: float | None) -> float | None:
        """Return the time of the unscaled model."""
        workload = self.result.job.workload
        return None if cycles is None else cycles * workload.scale / workload.clock_hz * 1e6


def wasted_beats(result: ReplayResult) -> int:
    """Return the beats that were no use; see `Run.wasted_beats`."""
    counters = result.counters
    fetched = counters["demand_issued"] - counters["demand_failed"] + counters["late"]
    kept = fetched + counters["timely"] + counters["open"]
    return max(0, link_beats(result) - kept * result.job.workload.expert_beats)


def link_beats(result: ReplayResult) -> int:
    """Return the beats that crossed the link, discarded ones included."""
    counters = result.counters
    return counters["demand_beats"] + counters["prefetch_beats"] + counters["discarded_beats"]


def ratio(part: float, whole: float) -> float | None:
    """Return `part` / `whole`, None for 0."""
    return part / whole if whole else None


def mean_step(run: Run) -> float | None:
    """Return the mean cycles of a step."""
    return ratio(sum(run.result.step_cycles), len(run.result.step_cycles))

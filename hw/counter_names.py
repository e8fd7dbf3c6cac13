"""Every counter of the unit: the one table that RTL, golden model, registers and report take names from.

The conservation laws between them are those of the design's section on counters. Counters wrap silently at
their width; the laws then hold modulo 2**32. At 10^6 events' experts a second an event counter wraps after 71
minutes, a cycle counter at 1 GHz after 78 hours: take differences of snapshots, modulo the width.
"""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from .config import UnitConfig

EVENT_WIDTH = 32
"""Width of counters of things."""
CYCLE_WIDTH = 48
"""Width of counters of cycles and of beats."""


class Advance(Enum):
    """How a counter moves."""

    PULSE = "pulse"
    """Up by one in a cycle in which its bit is 1."""
    COUNT = "count"
    """Up by a number in each cycle."""
    GAUGE = "gauge"
    """Not counted: what the unit holds right now."""


class Counter(NamedTuple):
    """One counter: what it counts, how wide it is, how it moves."""

    text: str
    width: int = EVENT_WIDTH
    advance: Advance = Advance.PULSE


def _cycles(text: str) -> Counter:
    return Counter(text, CYCLE_WIDTH)


COUNTERS = {
    "demand": Counter("Distinct experts of closed events."),
    "hit": Counter("Experts found resident when their event closed."),
    "late": Counter("Experts found in flight when their event closed: prefetched, but not in time."),
    "miss": Counter("Experts found neither resident nor in flight when their event closed."),
    "hit_prefetch": Counter("Hits that are the first use of a prefetched slot."),
    "hit_reuse": Counter("Hits on a slot that was used, or fetched on demand, before."),
    "on_target": Counter("First uses of a prefetched slot by the event that it was prefetched for."),
    "later_use": Counter("First uses of a prefetched slot by a later event."),
    "generated": Counter("Candidates that reached the filter."),
    "resident": Counter("Candidates dropped because they were resident."),
    "in_flight": Counter("Candidates dropped because they were in flight."),
    "in_queue": Counter("Candidates dropped because they were queued already."),
    "over_budget": Counter("Candidates dropped because their target event's budget was used up."),
    "overflow": Counter("Candidates dropped from a full queue, be it the new one or the farthest, lowest."),
    "no_victim": Counter("Queued prefetches dropped because no slot could be had."),
    "expired": Counter("Candidates and queued prefetches whose event came without them or was too far."),
    "promoted": Counter("Queued prefetches whose event came with them; each is then a miss."),
    "flushed": Counter("Queued prefetches dropped by command.", advance=Advance.COUNT),
    "queued_open": Counter("Prefetches queued now.", advance=Advance.GAUGE),
    "issued": Counter("Prefetches that got a slot."),
    "useless": Counter("Prefetched slots that were given up before any use."),
    "aborted": Counter("Prefetches stopped in flight before any use."),
    "failed": Counter("Prefetches that ended with a bus error before any use."),
    "open": Counter("Prefetched slots, complete or in flight, not used yet.", advance=Advance.GAUGE),
    "cycles": _cycles("Clock cycles."),
    "outside": _cycles("Cycles without an open event."),
    "compute": _cycles("Cycles of an open event without a stall."),
    "stall_slot": _cycles("Cycles in which a PE waits and the next expert has no slot."),
    "stall_queue": _cycles("Cycles in which a PE waits and the next expert's fetch is queued."),
    "stall_link": _cycles("Cycles in which a PE waits and the next expert is being fetched."),
    "stall_grant": _cycles("Cycles in which a PE waits and the next expert awaits its grant."),
    "stall_bank": _cycles("Cycles in which a PE lost its SRAM bank and none waits for an expert."),
    "events": Counter("Closed events."),
    "demand_issued": Counter("Misses that got a slot."),
    "demand_failed": Counter("Demand fetches, late prefetches among them, that ended with a bus error."),
    "error_grants": Counter("Grants without data."),
    "evictions": Counter("Resident slots taken for another expert."),
    "demand_beats": _cycles("Bus beats of demand fetches."),
    "prefetch_beats": _cycles("Bus beats of prefetches."),
    "discarded_beats": _cycles("Bus beats thrown away: of aborted transfers and of bursts with an error."),
    "bursts": Counter("Read bursts requested."),
    "retries": Counter("Read bursts requested again after an error."),
    "bank_conflicts": Counter("Reads that PEs had to repeat: bank busy.", CYCLE_WIDTH, Advance.COUNT),
    "route_faults": Counter("Router beats dropped (duplicate, out of range), stray releases, events that timed out."),
    "hint_faults": Counter("Hint beats dropped: layer or expert out of range."),
    "predictor_wait": _cycles("Cycles in which a prediction waited for updates of its table."),
    "route_wait": _cycles("Cycles in which a router beat waited, more than an event being ahead of the predictors."),
    "bus_errors": Counter("Read bursts that ended with an error response."),
    "protocol_errors": Counter("Read beats that nothing had asked for, or with a wrong RLAST."),
    "bus_timeouts": Counter("Times that memory was silent for BUS_TIMEOUT cycles and all transfers ended."),
    "layer_skips": Counter("Events of a layer that does not follow the last one's, but for a sequence's start at 0."),
}  # fmt: skip
"""Name -> counter, in the order of the register window."""

PAGING_COUNTERS = {
    "table_loads": Counter("Pages of tables brought on chip."),
    "table_ahead": Counter("Pages that came before anything waited for them."),
    "table_late": Counter("Pages that an event, or a register access, had to wait for."),
    "table_wait": _cycles("Cycles in which an event waited for its tables to be on chip; predictor_wait has them too."),
    "table_read_beats": _cycles("Bus beats of pages read."),
    "table_written_beats": _cycles("Bus beats of pages written back."),
    "table_errors": Counter("Bursts of pages that ended with an error response."),
    "table_retries": Counter("Bursts of pages requested again after an error."),
    "table_lost": Counter(
        "Bursts of pages given up: read, their words with an error are empty rows; written, their updates are lost."
    ),
}
"""The counters that follow in the register window of a unit that pages its tables."""

ROW_COUNTERS = {
    "table_loads": Counter("Rows of tables brought on chip."),
    "table_ahead": Counter("Rows that came before anything waited for them."),
    "table_late": Counter("Rows that a prediction, an event behind it, or a register access had to wait for."),
    "table_wait": _cycles("Cycles in which a prediction, or an event behind it, waited for rows to come."),
    "table_read_beats": _cycles("Bus beats of rows read."),
    "table_written_beats": _cycles("Bus beats of rows written back."),
    "table_errors": Counter("Bursts of rows that ended with an error response."),
    "table_retries": Counter("Bursts of rows requested again after an error."),
    "table_lost": Counter(
        "Bursts of rows given up: read, their words with an error are 0; written, what was learnt is lost."
    ),
    "table_hits": Counter("Rows that a prediction or the learning needed, and that were on chip."),
}
"""The counters that follow in the register window of a unit that caches the rows of its tables."""

PARITY_COUNTERS = {
    "parity_errors": Counter("Cycles in which a word of a table or of the directory was read with wrong parity."),
}
"""The counters that follow in the register window of a unit with parity."""

SEGMENT_COUNTERS = {
    "segment_faults": Counter("Transfers refused: the segments of their layer do not add up to EXPERT_BEATS."),
}
"""The counter that follows in the register window of a unit with a segment table."""

ALIASES = {"timely": "hit_prefetch"}
"""Names of the laws that are another counter's by definition: a timely prefetch is a hit on one."""

COUNTER_INDEX = {name: index for index, name in enumerate(COUNTERS)}
"""Name -> place in the register window; an alias has its counter's."""
COUNTER_INDEX.update({alias: COUNTER_INDEX[name] for alias, name in ALIASES.items()})

LAWS: dict[str, tuple[str, ...]] = {
    "demand": ("hit", "late", "miss"),
    "hit": ("hit_prefetch", "hit_reuse"),
    "generated": (
        "resident", "in_flight", "in_queue", "over_budget", "overflow", "no_victim", "expired", "promoted",
        "flushed", "queued_open", "issued",
    ),
    "issued": ("timely", "late", "useless", "aborted", "failed", "open"),
    "timely": ("on_target", "later_use"),
    "hit_prefetch": ("timely",),
    "cycles": ("outside", "compute", "stall_slot", "stall_queue", "stall_link", "stall_grant", "stall_bank"),
}  # fmt: skip
"""Total -> the counters that it is the sum of, in every snapshot, modulo 2**32."""

PAGING_LAWS: dict[str, tuple[str, ...]] = {
    "table_loads": ("table_ahead", "table_late"),
    "table_errors": ("table_retries", "table_lost"),
}
"""The laws that hold besides where tables are paged."""


def counters_of(config: UnitConfig) -> dict[str, Counter]:
    """Return a unit's counters, in the order of its register window."""
    tables = ROW_COUNTERS if config.weight_ways else PAGING_COUNTERS if config.table_window else {}
    parity = PARITY_COUNTERS if config.parity else {}
    segments = SEGMENT_COUNTERS if config.segments > 1 else {}
    return COUNTERS | tables | parity | segments


def with_aliases(values: Mapping[str, int]) -> dict[str, int]:
    """Return counter values with those aliases added that are not there."""
    return {alias: values[name] for alias, name in ALIASES.items() if name in values} | dict(values)


def broken_laws(values: Mapping[str, int]) -> list[str]:
    """Return one line for each law that `values` (name -> value) breaks; empty if all hold.

    A law whose counters are not all there is broken. The law of cycles is left out where `values` has no `cycles`:
    the golden model knows no time. Those of paging hold where `values` has their totals.
    """
    known = with_aliases(values)
    broken = []
    for total, parts in (LAWS | PAGING_LAWS).items():
        if total not in known and (total == "cycles" or total in PAGING_LAWS):
            continue
        law = " + ".join(parts)
        missing = [name for name in (total, *parts) if name not in known]
        if missing:
            broken.append(f"{total} = {law}: no counter {', '.join(missing)}")
            continue
        found = sum(known[part] for part in parts)
        if (known[total] - found) % (1 << EVENT_WIDTH):
            broken.append(f"{total} = {known[total]}, but {law} = {found}")
    return broken

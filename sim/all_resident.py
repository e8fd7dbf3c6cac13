"""The cycles of a replay in which every expert is resident and no bank conflicts: what no prefetcher can beat.

A model of its own, exact to the cycle for the replay's RTL (tests compare them); reports label it modelled. The
constants are latencies of hw/commit_port.py, hw/event.py, hw/replay_agent.py and of the queues between them.
"""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from .event_columns import EventColumns
from .replay_events import ReplayEvent
from .workload import Workload

START = 1
"""From the start of the replay to its first event."""
APPLY = 1
"""For a step's first event: the unit takes over its settings."""
CLOSE = 3
"""From the end of attention and beats to the record of the event's close."""
CLASSIFY = 2
"""For each member, from the close on, to its record."""
GRANT = 1
"""From a member's record to its grant at a processing element."""
CLASSIFIED = 2
"""From the last member's record to the first cycle in which the commit port can take a release."""
ELEMENT_READ = 2
"""What reading a slot takes beyond its beats."""
RELEASE_QUEUE = 2
"""From a processing element's release to the commit port."""
RELEASE = 2
"""For each release at the commit port."""
END = 4
"""From the last release at the commit port to the next event's beginning."""


def all_resident_cycles(events: Iterable[ReplayEvent], workload: Workload) -> int:
    """Return the cycles from the first attention to the last event's end, as a replay counts them."""
    columns = EventColumns.of(events)
    # One integer for each kind of event: numpy sorts integers fifty times as fast as rows.
    kinds = (columns.members << 32 | np.diff(columns.first_beat)) << 1 | columns.step_first
    kinds, counts = np.unique(kinds, return_counts=True)
    cycles = (_event(kind >> 33, kind >> 1 & 0xFFFF_FFFF, bool(kind & 1), workload) for kind in kinds.tolist())
    return START + sum(cycle * count for cycle, count in zip(cycles, counts.tolist(), strict=True))


def link_room(events: EventColumns, workload: Workload) -> float:
    """Return how many experts the link can bring while an event lasts that waits for none, on average."""
    return all_resident_cycles(events, workload) / len(events) / workload.transfer_cycles


def all_resident_event(event: ReplayEvent, workload: Workload) -> int:
    """Return the cycles from the end of the event before to the end of this one."""
    return _event(len({beat.expert for beat in event.beats}), len(event.beats), event.step_first, workload)


def _event(members: int, beats: int, step_first: bool, workload: Workload) -> int:
    attention = workload.attention_cycles + (workload.step_cycles if step_first else 0)
    arrival = max(1, attention) + (APPLY if step_first else 0) + beats
    expert_cycles = max(workload.expert_cycles, workload.expert_beats + ELEMENT_READ)
    return arrival + _experts(members, expert_cycles, workload.n_pe)


@lru_cache(maxsize=4096)
def _experts(members: int, expert_cycles: int, n_pe: int) -> int:
    """Return the cycles from the last router beat to the event's end."""
    last_record = CLOSE + CLASSIFY * members
    taken: list[int] = []
    port = last_record + CLASSIFIED - RELEASE
    for member in range(members):
        grant = CLOSE + CLASSIFY * (member + 1) + GRANT
        if taken:
            grant = max(grant, taken[-1] + 1)
        if member >= n_pe:
            grant = max(grant, taken[member - n_pe] + expert_cycles + 1)
        taken.append(grant)
        port = max(port + RELEASE, grant + expert_cycles + RELEASE_QUEUE)
    return port + END

"""Residency directory: which expert each slot holds, in which state, and which slot goes next."""

from enum import IntEnum
from operator import attrgetter

from ...hw.records import Issue, VictimPolicy


class SlotState(IntEnum):
    """What a slot is doing."""

    FREE = 0
    FILLING = 1
    DRAINING = 2
    """Aborted, bursts still coming."""
    RESIDENT = 3


FREE, FILLING, DRAINING, RESIDENT = SlotState
_by_tick = attrgetter("tick")
_by_stamp = attrgetter("stamp")


class Slot:
    """Room for one expert.

    `tick` is the count at its last allocation or release, `stamp` the event number that its content is for,
    `source` who named the prefetch in it, `status` how its grant will read, `filled_at` its fill's cycle.
    """

    __slots__ = (
        "expert", "filled_at", "index", "layer", "pinned", "released", "source", "stamp", "state", "status",
        "sticky", "tick", "unused",
    )  # fmt: skip

    def __init__(self, index: int):
        self.index = index
        self.state = FREE
        self.layer = self.expert = self.tick = self.stamp = self.source = self.status = 0
        self.pinned = self.released = self.sticky = self.unused = False
        self.filled_at: int | None = None


class Directory:
    """`n_slots` slots, the count of ticks, and the search for a slot."""

    __slots__ = ("_n_layers", "_places", "_policy", "slots", "ticks")

    def __init__(self, n_slots: int, n_layers: int, policy: VictimPolicy):
        self._n_layers = n_layers
        self._policy = policy
        self._places: dict[tuple[int, int], Slot] = {}
        self.slots = [Slot(index) for index in range(n_slots)]
        self.ticks = 0

    def find(self, layer: int, expert: int) -> Slot | None:
        """Return the slot that holds this expert or is being filled with it."""
        slot = self._places.get((layer, expert))
        if slot is None or slot.layer != layer or slot.expert != expert:
            return None
        return slot if slot.state == RESIDENT or slot.state == FILLING else None

    def allocate(self, slot: Slot, layer: int, expert: int, stamp: int) -> None:
        """Start filling `slot`, all its flags down, at the next tick."""
        slot.state = FILLING
        slot.layer = layer
        slot.expert = expert
        slot.stamp = stamp
        slot.pinned = slot.released = slot.sticky = slot.unused = False
        slot.filled_at = None
        slot.tick = self.next_tick()
        self._places[layer, expert] = slot

    def next_tick(self) -> int:
        """Return the count of allocations and releases so far, and add one."""
        tick = self.ticks
        self.ticks = tick + 1
        return tick

    def search_demand(self, current: int, layer: int) -> tuple[Issue, Slot | None]:
        """Return where a miss of event `current`, of `layer`, finds a slot, and the slot."""
        found = self._search(current, layer, current + 1)
        if found is not None:
            return found
        own = [s for s in self.slots if s.state == RESIDENT and s.pinned and s.released and not s.sticky]
        if own:
            return Issue.OWN_RELEASED, min(own, key=_by_tick)
        undemanded = [s for s in self.slots if s.state == FILLING and not s.pinned]
        if undemanded:
            return Issue.ABORT, max(undemanded, key=_by_stamp)
        return Issue.WAIT, None

    def search_prefetch(self, current: int, layer: int, deadline: int) -> tuple[Issue, Slot | None]:
        """Return where a prefetch for event `deadline` finds a slot, and the slot."""
        return self._search(current, layer, deadline) or (Issue.NO_VICTIM, None)

    def _search(self, current: int, layer: int, least_stamp: int) -> tuple[Issue, Slot] | None:
        """Search the free, the unpinned and then those for a coming event from `least_stamp` on."""
        for slot in self.slots:
            if slot.state == FREE:
                return Issue.FREE, slot
        evictable = [s for s in self.slots if s.state == RESIDENT and not s.pinned and not s.sticky]
        victims = [s for s in evictable if s.stamp <= current] or [
            s for s in evictable if s.stamp > current and s.stamp >= least_stamp
        ]
        return (Issue.EVICT, self._victim(victims, layer)) if victims else None

    def _victim(self, slots: list[Slot], layer: int) -> Slot:
        """Return the victim policy's choice; among equals the lower slot, which comes first."""
        if self._policy == VictimPolicy.LRU:
            return min(slots, key=_by_tick)
        return min(slots, key=lambda slot: (-((slot.layer - layer) % self._n_layers), slot.tick))

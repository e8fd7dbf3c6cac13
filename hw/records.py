"""The commit log: every change of the residency directory, one record each, in order.

The directory has one commit port, so the log is a total order. The RTL writes these records (only when
generated with `commit_log`), the golden unit model reads them; both take the encodings from here.
A record is 112 bits wide; fields from the least significant bit up, as in RECORD_FIELDS.
"""

from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """What a record says; in brackets the fields that it uses besides `kind` and `outcome`."""

    CLOSE = 0
    """An event closed (layer, expert = number of members, deadline = event number, outcome = sequence start)."""
    CLASSIFY = 1
    """A member was classified (layer, expert, slot unless missed; outcome Class)."""
    EXPIRE = 2
    """A queued prefetch met its event (layer, expert, deadline, score, source; outcome Expiry)."""
    CANDIDATE = 3
    """A candidate passed the filter (layer, expert, deadline, score, source, slot if there; outcome Filter)."""
    ISSUE = 4
    """A slot was sought (layer, expert, slot if found, deadline; source 0 demand, 1 prefetch; outcome Issue)."""
    FILL = 5
    """A transfer ended (layer, expert, slot; outcome Fill)."""
    DRAIN = 6
    """An aborted transfer's last beat came, its slot is free (slot)."""
    RELEASE = 7
    """A processing element returned a grant (expert, slot; outcome GrantStatus of that grant)."""
    END = 8
    """The event's last expert was released, all pins end (deadline = event number)."""
    FREE = 9
    """A resident slot was freed by a sweep (layer, expert, slot; outcome Sweep)."""
    ABORT = 10
    """A prefetch in flight was told to stop, not for a miss (layer, expert, slot; outcome Sweep)."""
    FLUSH = 11
    """The prefetch queue was emptied by command (expert = number of entries)."""
    PIN = 12
    """A resident slot was pinned or unpinned by command (layer, expert, slot; outcome Sweep)."""


class Class(IntEnum):
    """How a member was found at event close."""

    MISS = 0
    LATE = 1
    HIT_REUSE = 2
    HIT_ON_TARGET = 3
    """First use of a prefetched slot, by the event that it was stamped for."""
    HIT_LATER_USE = 4
    """First use of a prefetched slot, by a later event."""


class Expiry(IntEnum):
    """How a queued prefetch ended at its event's close."""

    EXPIRED = 0
    """The event came without it."""
    PROMOTED = 1
    """The event came with it: it is a miss."""


class Filter(IntEnum):
    """What became of a candidate; tested in this order."""

    EXPIRED = 0
    """Its target event has closed already, or lies beyond the horizon."""
    RESIDENT = 1
    IN_FLIGHT = 2
    IN_QUEUE = 3
    OVER_BUDGET = 4
    OVERFLOW = 5
    """The queue is full of nearer or better ones."""
    QUEUED = 6
    QUEUED_DROPPING = 7
    """Queued; the farthest, lowest entry was dropped for it (counted as overflow)."""


class Issue(IntEnum):
    """Where a slot was found."""

    FREE = 0
    EVICT = 1
    OWN_RELEASED = 2
    """A miss took a slot that its own event has released."""
    ABORT = 3
    """A miss stopped the prefetch in `slot` and waits for its bursts to drain; nothing is issued."""
    WAIT = 4
    """A miss found nothing and waits; nothing is issued."""
    NO_VICTIM = 5
    """A prefetch found nothing and is dropped; nothing is issued."""
    PRESENT = 6
    """A prefetch's expert is in `slot` already and it is dropped; counted as `resident`."""


class Fill(IntEnum):
    """How a transfer ended."""

    DONE = 0
    FAILED = 1


class GrantStatus(IntEnum):
    """How a granted expert was found; an error grant has no data and is released like any other."""

    HIT = 0
    LATE = 1
    MISS = 2
    ERROR = 3


class Sweep(IntEnum):
    """Why a sweep touched a slot."""

    EVENT_END = 0
    """`evict_at_event_end`: the slot is not for a coming event."""
    INVALIDATE = 1
    PIN = 2
    UNPIN = 3
    WRONG = 4
    """The abort policy: its event came without it."""
    RENEW = 5
    """Other bytes are the experts' from this step on."""
    SCRUB = 6
    """A word of the slot's directory entry has wrong parity."""


class VictimPolicy(IntEnum):
    """Which unpinned slot goes first."""

    LRU = 0
    """The one issued or released longest ago."""
    LEAST_STALE = 1
    """The one whose layer comes round last, (slot's layer - current layer) mod layers largest; then LRU."""


class AbortPolicy(IntEnum):
    """What happens to a prefetch in flight whose event came without it."""

    NEVER = 0
    HALF = 1
    """Aborted while more than half of its beats are not yet requested."""
    ALWAYS = 2
    """Aborted while any of its beats are not yet requested."""


class Source(IntEnum):
    """Who named a candidate."""

    PREDICTOR = 0
    HINT = 1


RECORD_FIELDS = {
    "kind": 8,
    "outcome": 8,
    "layer": 16,
    "expert": 16,
    "slot": 16,
    "score": 8,
    "source": 8,
    "deadline": 32,
}
RECORD_BITS = sum(RECORD_FIELDS.values())


class Record(NamedTuple):
    """One decoded record; fields that its kind does not use are 0."""

    kind: int
    outcome: int = 0
    layer: int = 0
    expert: int = 0
    slot: int = 0
    score: int = 0
    source: int = 0
    deadline: int = 0

    @classmethod
    def decode(cls, word: int) -> "Record":
        """Return the record that a log word holds."""
        values = []
        for width in RECORD_FIELDS.values():
            values.append(word & ((1 << width) - 1))
            word >>= width
        return cls(*values)

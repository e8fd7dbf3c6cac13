"""Places of the cycle model's state: all of it is int64 in one array, so that numba compiles it and calls stay cheap.

`mem` holds all tables one below the other, each with its own columns: slot s's state is `mem[SLOT + s, S_STATE]`.
Single registers, counters (K_) and what does not change in a run (C_) have a place each: `mem[R_IDLE]`.

Times are cycle numbers as in the commit log: 0 is the first cycle of the replay. A state that a register holds is named
by the first cycle in which it shows.
"""

from ...hw.counter_names import COUNTER_INDEX

INF = 1 << 60
"""A time that never comes, or is not known yet."""
N_COLUMNS = 16
CONFIG, REGISTERS = 46, 90
"""How many places of each kind there are."""


def _places(first: int, count: int) -> list[tuple[int, int]]:
    """Return `count` places from number `first` on: row and column."""
    return [divmod(number, N_COLUMNS) for number in range(first, first + count)]


# What does not change in a run.
(
    C_LAYERS,
    C_EXPERTS,
    C_SLOTS,
    C_ALL_SLOTS,
    C_SEARCH,
    C_HORIZON,
    C_BUDGET,
    C_VICTIM,
    C_ABORT,
    C_EVICT_AT_END,
    C_MIN_SCORE,
    C_HOLDS,
    C_HOLD_CYCLES,
    C_HINTS,
    C_HINTS_FIRST,
    C_SELECTED,
    C_PREDICTORS,
    C_MAX_EXPERTS,
    C_ELEMENTS,
    C_BANKS,
    C_EXPERT_BEATS,
    C_EXPERT_CYCLES,
    C_ATTENTION,
    C_STEP,
    C_LATENCY,
    C_CYCLES_PER_BEAT,
    C_BACKGROUND_PERIOD,
    C_BACKGROUND_LENGTH,
    C_OUTSTANDING,
    C_BURST_BEATS,
    C_LINE_BEATS,
    C_EVENTS,
    C_ROW_ENTRIES,
    C_TABLE_ENTRIES,
    C_LANES,
    C_LOGGING,
    C_QUEUE_DEPTH,
    C_ENTRIES,
    C_RELEASE_ROOM,
    C_RANKING,
    C_WEIGHTS,  # place of predictor `weights` among the unit's, counted from 1, 0 for none
    C_WEIGHT_AHEAD,
    C_WEIGHT_BITS,
    C_WEIGHT_OWN,  # the source that is the event's own members
    C_WEIGHT_GROUPS,  # memory words of a row in use
    C_WEIGHT_WALK,  # cycles in which older sources are listed, beside one for each of their members
) = _places(0, CONFIG)

# Registers of the unit, of the agent, and of the model's own bookkeeping.
(
    R_IDLE,  # the commit port is idle from this cycle on
    R_CURRENT,
    R_LAYER,
    R_OPEN,  # the event that closed last has been taken by the commit port and has not ended
    R_EVENT,  # the next event to end
    R_CLOSED,  # the open event is closed from this cycle on
    R_MEMBERS,
    R_UNRELEASED,
    R_TICK,
    R_BLOCKED,
    R_MISS_HEAD,
    R_MISS_TAIL,
    R_QUEUE,  # entries of the prefetch queue
    R_RECORDS,
    R_FREE_SLOTS,
    R_END,  # cycle of the last event's END
    R_TOTAL,  # cycles of the whole replay
    R_STEP,
    R_SLACKS,
    R_BURSTS,  # bursts planned since the beginning
    R_TRAINS,
    R_TRAIN_FIRST,  # trains before it have been written to the SRAM
    R_TRAIN_FIXED,  # trains before it have been requested
    R_LINK_FREE,  # the link's next free service cycle
    R_LAST_TAKE,
    R_PLAN_OPEN,
    R_BATCH_TAKEN,  # the last status of the last batch was taken in this cycle
    R_BATCH_VALID,  # the batch's first status shows from here on
    R_BATCH_LEFT,
    R_BATCH_NEXT,  # no entry below it is left of the batch
    R_CONTIGUOUS,  # equal bursts at the plan's end that follow each other on the link without a gap
    R_ACCOUNTED,  # reads are followed up to this cycle
    R_READ_AT,  # words are counted as read up to this one
    R_COUNTED,  # and cycles are in their buckets up to this one
    R_FIRST_FINISH,  # when the first read finishes, INF if none is known to
    R_FIRST_DONE,  # when the first release is offered, INF if that is not known
    R_PENDING,
    R_HOT,  # a read may lose its bank
    R_READERS,
    R_IDLE_ELEMENTS,
    R_UNGRANTED,
    R_GRANT_VALID,
    R_CLASSIFYING,
    R_DEMAND_BUSY,
    R_STALL_BLOCKED,
    R_MISSES_QUEUED,
    R_EVENT_OPEN,
    R_GRANT_HEAD,
    R_GRANT_TAIL,
    R_LAST_GRANT,
    R_RELEASE_HEAD,
    R_RELEASE_TAIL,
    R_LAST_PUSH,
    R_ROOM_FROM,  # the queue of releases, if it has room, has had it since this cycle
    R_LAST_POP,
    R_PUSHED,  # beats pushed to the predictors' queue
    R_LAST_MEMBER_POP,
    R_TABLES_FREE,
    R_PREVIOUS_LAYER,
    R_PREVIOUS_COUNT,
    R_PREDICTIONS,  # predictions made
    R_PREDICTION,  # the one that is being emitted
    R_RANK,  # the expert on offer
    R_OFFERED,  # from this cycle on
    R_HELD,  # and held from this one on
    R_NEXT_GROUP,  # cycle in which the next expert's group reached the last stage
    R_RANK_LEVEL,
    R_RANK_BEGIN,
    R_HINT_NEXT,
    R_HINT_END,
    R_HINT_FROM,
    R_HINT_HELD,  # its layer, -1 for none
    R_HINT_EXPERT,
    R_HINT_SCORE,
    R_HINT_AT,
    R_AGENT_DONE,  # beats and hints of the event are out from this cycle on
    R_LOGGED,
    R_PINNED,
    R_TRANSFERS,
    R_EVENT_LAYER,
    R_EVENT_START,
    R_ENDS_STEP,
    R_LRU_FIRST,
    R_LRU_LAST,
    R_FREE_FROM,  # no slot below it is free
    R_CHANGE_FIRST,
    R_PLANNED,  # the plan has changed since readers were told
    R_COMMIT,  # what the commit port does next
    R_FIRST_COMPLETE,  # when the first transfer outside the batch is complete, -1 if that is to be found out
    R_WEIGHT_LAYER,  # the layer whose event predictor `weights` has prepared for, -1 for none
) = _places(CONFIG, REGISTERS)

# Where each table of `mem` begins; the room of each is the most that a `UnitConfig` allows.
SLOT = (CONFIG + REGISTERS + len(COUNTER_INDEX)) // N_COLUMNS + 1
ENTRY = SLOT + 1024
ENGINE = ENTRY + 64
ELEMENT = ENGINE + 8
QUEUE = ELEMENT + 32
MISS = QUEUE + 136
GRANT = MISS + 512
GRANTS = 512
RELEASE = GRANT + GRANTS
RELEASES = 128
PREDICTION = RELEASE + RELEASES
PREDICTIONS = 1024
POP = PREDICTION + PREDICTIONS
POPS = 1024
BANK = POP + POPS
TARGET = BANK + 64
CHANGE = TARGET + 8
CHANGES = 4096
TRAIN = CHANGE + CHANGES
TRAINS = 8192
MEMBER = TRAIN + TRAINS
PREVIOUS = MEMBER + 512
HINT = PREVIOUS + 512
HINTS = 1024
PINNED = HINT + HINTS
STATISTIC = PINNED + 512
"""Two rows for each source, then two for each layer: the counters N_DEMAND and so on, 16 a row."""
STATISTICS = 2 * (2 + 256)
KEY = STATISTIC + STATISTICS
"""The slot of each key, 16 a row: that of key k is `mem[KEY + k // 16, k % 16]`, counted from 1, 0 for none."""
KEYS = 256 * 512 // N_COLUMNS
KEY_RANK = KEY + KEYS
"""The rank of each key, laid out likewise, where a policy ranks them: the lowest gives way first."""
RANKED = KEY_RANK + KEYS
"""The experts and scores of predictions, `C_MAX_EXPERTS` rows each, in a ring of `C_MAX_EXPERTS` + 4."""

# What changes a key's rank at each use.
RANK_NONE, RANK_FIXED, RANK_USES, RANK_NEXT_USE = range(4)

# Slots. Free slots are in no recency list.
(
    S_STATE,
    S_LAYER,
    S_EXPERT,
    S_STAMP,
    S_TICK,
    S_PINNED,
    S_RELEASED,
    S_UNUSED,
    S_LATE,
    S_SOURCE,
    S_FILLED,
    S_ENTRY,
    S_BEFORE,
    S_AFTER,
    N_SLOT,
) = range(15)
FREE, FILLING, RESIDENT, DRAINING = range(4)

# The DMA's transfer table.
(X_VALID, X_SLOT, X_DEMANDED, X_ABORTED, X_COMPLETE, X_BATCH, N_ENTRY) = range(7)

# The DMA's request engines.
(E_ENTRY, E_POSITION, E_TOTAL, E_VALID, E_ACTIVE, E_READY, E_BANK, E_LAST, E_CUT, N_ENGINE) = range(10)
PREFETCH, DEMAND = 0, 1

# Trains: bursts of one transfer, planned together.
(
    T_ENTRY,
    T_ENGINE,
    T_BANK,
    T_CLASS,
    T_COUNT,
    T_UNIT,  # beats of a burst; the last one may be shorter
    T_BEATS,
    T_FOLLOWS,  # each is requested when the one N before it has ended; else every second cycle
    T_TAKE,  # request of the first burst
    T_START,  # service cycle of the first beat's first cycle
    T_ROUND,  # bursts of a round, all of them if the link never idles between
    T_STRIDE,  # service cycles from a round to the next
    T_INDEX,
    T_LIMIT,  # beats from this service cycle on are discarded
    T_BEFORE,  # when the engine could have requested the first burst
    T_DONE,  # its beats are in the SRAM before this cycle
    N_TRAIN,
) = range(17)

# Processing elements.
(P_BUSY, P_FREE, P_SLOT, P_BANK, P_EXPERT, P_STATUS, P_READING, P_REST, P_FINISH, N_ELEMENT) = range(10)

# Prefetch queue, grants on their way, releases on their way.
(Q_DEADLINE, Q_LAYER, Q_EXPERT, Q_SCORE, Q_SOURCE, N_QUEUE) = range(6)
(G_WRITTEN, G_EXPERT, G_SLOT, G_STATUS, N_GRANT) = range(5)
(L_PUSHED, L_EXPERT, L_SLOT, L_STATUS, N_RELEASE) = range(5)

# Hints of the event whose beats came last.
(Y_LAYER, Y_EXPERT, Y_SCORE) = range(3)

# Changes of what names a cycle's bucket, to come.
(A_TIME, A_KIND, A_VALUE, N_CHANGE) = range(4)
(
    CHANGE_CLOSED,
    CHANGE_CLASSIFIED,
    CHANGE_GRANTED,
    CHANGE_IDLE,
    CHANGE_DEMAND_BUSY,
    CHANGE_BLOCKED,
    CHANGE_MISSES,
    CHANGE_ENDED,
) = range(8)

# Predictions, in a ring, and what they name.
(Z_EXPERT, Z_SCORE) = range(2)
(D_EVENT, D_TARGET, D_LAYER, D_READY, D_START, D_CANCEL, D_COUNT, D_CEILING, N_PREDICTION) = range(9)

# The log: cycle and the fields of a record.
(
    O_CYCLE,
    O_KIND,
    O_OUTCOME,
    O_LAYER,
    O_EXPERT,
    O_SLOT,
    O_SCORE,
    O_SOURCE,
    O_DEADLINE,
    N_LOG,
) = range(10)

# Counters, in the order of the register window.
COUNTERS = _places(CONFIG + REGISTERS, len(COUNTER_INDEX))
K_DEMAND = COUNTERS[COUNTER_INDEX["demand"]]
K_HIT = COUNTERS[COUNTER_INDEX["hit"]]
K_LATE = COUNTERS[COUNTER_INDEX["late"]]
K_MISS = COUNTERS[COUNTER_INDEX["miss"]]
K_HIT_PREFETCH = COUNTERS[COUNTER_INDEX["hit_prefetch"]]
K_HIT_REUSE = COUNTERS[COUNTER_INDEX["hit_reuse"]]
K_ON_TARGET = COUNTERS[COUNTER_INDEX["on_target"]]
K_LATER_USE = COUNTERS[COUNTER_INDEX["later_use"]]
K_GENERATED = COUNTERS[COUNTER_INDEX["generated"]]
K_RESIDENT = COUNTERS[COUNTER_INDEX["resident"]]
K_IN_FLIGHT = COUNTERS[COUNTER_INDEX["in_flight"]]
K_IN_QUEUE = COUNTERS[COUNTER_INDEX["in_queue"]]
K_OVER_BUDGET = COUNTERS[COUNTER_INDEX["over_budget"]]
K_OVERFLOW = COUNTERS[COUNTER_INDEX["overflow"]]
K_NO_VICTIM = COUNTERS[COUNTER_INDEX["no_victim"]]
K_EXPIRED = COUNTERS[COUNTER_INDEX["expired"]]
K_PROMOTED = COUNTERS[COUNTER_INDEX["promoted"]]
K_ISSUED = COUNTERS[COUNTER_INDEX["issued"]]
K_USELESS = COUNTERS[COUNTER_INDEX["useless"]]
K_ABORTED = COUNTERS[COUNTER_INDEX["aborted"]]
K_COMPUTE = COUNTERS[COUNTER_INDEX["compute"]]
K_STALL_SLOT = COUNTERS[COUNTER_INDEX["stall_slot"]]
K_STALL_QUEUE = COUNTERS[COUNTER_INDEX["stall_queue"]]
K_STALL_LINK = COUNTERS[COUNTER_INDEX["stall_link"]]
K_STALL_GRANT = COUNTERS[COUNTER_INDEX["stall_grant"]]
K_STALL_BANK = COUNTERS[COUNTER_INDEX["stall_bank"]]
K_EVENTS = COUNTERS[COUNTER_INDEX["events"]]
K_DEMAND_ISSUED = COUNTERS[COUNTER_INDEX["demand_issued"]]
K_EVICTIONS = COUNTERS[COUNTER_INDEX["evictions"]]
K_DEMAND_BEATS = COUNTERS[COUNTER_INDEX["demand_beats"]]
K_PREFETCH_BEATS = COUNTERS[COUNTER_INDEX["prefetch_beats"]]
K_DISCARDED_BEATS = COUNTERS[COUNTER_INDEX["discarded_beats"]]
K_BURSTS = COUNTERS[COUNTER_INDEX["bursts"]]
K_BANK_CONFLICTS = COUNTERS[COUNTER_INDEX["bank_conflicts"]]
K_PREDICTOR_WAIT = COUNTERS[COUNTER_INDEX["predictor_wait"]]
K_ROUTE_WAIT = COUNTERS[COUNTER_INDEX["route_wait"]]
K_LAYER_SKIPS = COUNTERS[COUNTER_INDEX["layer_skips"]]

# Counters by layer and by source, as the golden model's statistics name them.
(
    N_DEMAND,
    N_HIT,
    N_LATE,
    N_MISS,
    N_HIT_PREFETCH,
    N_HIT_REUSE,
    N_ON_TARGET,
    N_LATER_USE,
    N_GENERATED,
    N_RESIDENT,
    N_IN_FLIGHT,
    N_IN_QUEUE,
    N_OVER_BUDGET,
    N_OVERFLOW,
    N_NO_VICTIM,
    N_EXPIRED,
    N_PROMOTED,
    N_FLUSHED,
    N_QUEUED_OPEN,
    N_ISSUED,
    N_TIMELY,
    N_USELESS,
    N_ABORTED,
    N_FAILED,
    N_OPEN,
    N_NAMES,
) = range(26)

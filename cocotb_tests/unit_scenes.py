"""What the emitted unit is put through: settings, the world's behaviour, and the records that must come of them."""

import os
from dataclasses import dataclass, field

from moefetch.hw.config import UnitConfig
from moefetch.hw.records import AbortPolicy, Class, Expiry, Fill, Filter, GrantStatus, Issue, Kind, Sweep, VictimPolicy

CONFIG = UnitConfig.model_validate_json(os.environ["UNIT_CONFIG"])
TOP_K = (2, 1, 2, 2)
LARGE_EXPERT = 44 << 20
"""Bytes of an expert of the largest models, whose layers have 256: experts here lie as far apart."""
SETTINGS = {
    "n_layers": 4, "n_experts": 8, "n_slots": 8, "expert_beats": 20, "base": 0xFEDC_BA98_7654_3000,
    "layer_stride": 256 * LARGE_EXPERT, "expert_stride": LARGE_EXPERT, "hints": 0, "hints_first": 0,
    "row_entries": CONFIG.max_top_k, "budget": 4, "min_score": 2, "hold_cycles": 0,
    "victim_policy": VictimPolicy.LRU, "abort_policy": AbortPolicy.NEVER, "evict_at_event_end": 0, "outstanding": 2,
    "burst_beats": 8, "retries": 3, "qos_demand": 12, "qos_prefetch": 3, "cache": 11, "prot": 5,
}  # fmt: skip
if CONFIG.segments > 1:
    SETTINGS["segment_enable"] = 1
if CONFIG.pages_tables:
    SETTINGS |= {"table_base": 0x0123_4567_89AB_C000, "table_enable": 1}


@dataclass(frozen=True)
class Scene:
    """A run: what is set, how the world behaves, and which records must have come.

    `n_events` events are played, and more, up to four times as many, until every outcome of `must` has come.
    Probabilities: `gap` and `stall` per cycle on our and on the third party's handshakes, `slow` per bus word that
    it waits for some of `latency` cycles, `bad` and `transient` per expert to fail always or for a while, `faults`
    per beat to be a wrong one, `cut` per event that its last beat is not marked, `right` and `wrong` of a hint for
    an expert that comes and for another, `repeat` that an event is that of the step before, `rush` that an event is
    not waited for. `attention` cycles lie between events, `compute` between a last word and its release, and
    `commands` between commands; none if it is 0. `wrong_layer`: the segments of one layer do not
    add up to an expert.
    """

    settings: dict = field(default_factory=dict)
    predictor: str | None = None
    n_events: int = 16
    gap: float = 0.2
    stall: float = 0.2
    slow: float = 0.02
    latency: tuple[int, int] = (1, 30)
    bad: float = 0.0
    transient: float = 0.0
    faults: float = 0.0
    cut: float = 0.0
    right: float = 0.7
    wrong: float = 0.15
    repeat: float = 0.3
    rush: float = 0.3
    attention: tuple[int, int] = (5, 150)
    compute: tuple[int, int] = (0, 20)
    commands: int = 0
    wrong_layer: bool = False
    must: tuple = ()


HINTS = {"hints": 1}
ERRORS = {"bad": 0.15, "transient": 0.5, "must": ((Kind.FILL, Fill.FAILED), (Kind.RELEASE, GrantStatus.ERROR))}
SCENES = {
    "none": Scene(must=((Kind.ISSUE, Issue.EVICT), (Kind.CLASSIFY, Class.HIT_REUSE))),
    "hints": Scene(HINTS, rush=0.1, must=((Kind.CLASSIFY, Class.HIT_ON_TARGET),)),
    "few_slots": Scene(
        HINTS | {"n_slots": 3, "budget": 8}, attention=(5, 400), compute=(0, 60),
        must=((Kind.ISSUE, Issue.OWN_RELEASED), (Kind.ISSUE, Issue.WAIT)),
    ),
    "least_stale": Scene(
        HINTS | {"n_slots": 5, "victim_policy": VictimPolicy.LEAST_STALE}, must=((Kind.ISSUE, Issue.EVICT),),
    ),
    "evict": Scene(
        HINTS | {"evict_at_event_end": 1, "abort_policy": AbortPolicy.HALF}, wrong=0.5, slow=0.08, attention=(5, 60),
        must=((Kind.FREE, Sweep.EVENT_END), (Kind.EXPIRE, Expiry.EXPIRED)),
    ),
    "abort": Scene(
        HINTS | {"n_slots": 5, "abort_policy": AbortPolicy.ALWAYS, "victim_policy": VictimPolicy.LEAST_STALE},
        right=0.1, wrong=0.5, slow=0.05, attention=(5, 80), must=((Kind.ABORT, Sweep.WRONG), Kind.DRAIN),
    ),
    "errors": Scene(HINTS | {"hints_first": 1}, **ERRORS),
    "faults": Scene(HINTS | {"n_layers": 3, "n_experts": 6}, faults=0.3),
    "silence": Scene(
        HINTS | {"bus_timeout": 60}, slow=0.01, latency=(50, 400), transient=0.2,
        must=((Kind.FILL, Fill.FAILED), (Kind.RELEASE, GrantStatus.ERROR), (Kind.FILL, Fill.DONE)),
    ),
    "cut": Scene(HINTS | {"route_timeout": 40}, cut=0.4),
    "commands": Scene(HINTS | {"n_slots": 6}, bad=0.05, transient=0.3, n_events=24, commands=120, must=(
        Kind.FLUSH, (Kind.PIN, Sweep.PIN), (Kind.FREE, Sweep.INVALIDATE), (Kind.CANDIDATE, Filter.EXPIRED),
    )),
    "banks": Scene(
        HINTS, n_events=8, gap=0, compute=(0, 5), bad=0.1, right=0.9, rush=0.5,
        must=("overtakes" if CONFIG.mapping_window else "meets", (Kind.RELEASE, GrantStatus.ERROR)),
    ),
    "whole_slots": Scene(
        HINTS | {"expert_beats": CONFIG.slot_beats, "burst_beats": 256}, n_events=6, gap=0, stall=0, slow=0,
        attention=(5, 300), must=((Kind.FILL, Fill.DONE),),
    ),
    "st_moe": Scene(
        predictor="st_moe", n_events=24, rush=0.1, repeat=0.7, must=((Kind.CLASSIFY, Class.HIT_ON_TARGET),),
    ),
    "st_moe_paper": Scene(
        {"hold_cycles": 20}, "st_moe_paper", n_events=24, rush=0, repeat=0.7, must=((Kind.CANDIDATE, Filter.RESIDENT),),
    ),
    "everything": Scene(
        HINTS | {"n_slots": 6, "abort_policy": AbortPolicy.HALF}, next(iter(CONFIG.predictors), None), n_events=24,
        commands=300, faults=0.2, repeat=0.6, **ERRORS,
    ),
}  # fmt: skip
if "weights" in CONFIG.predictors:
    SCENES["weights"] = Scene(
        predictor="weights", n_events=24, rush=0.1, attention=(100, 600), repeat=0.7,
        must=((Kind.CLASSIFY, Class.HIT_ON_TARGET),),
    )  # fmt: skip
if CONFIG.segments > 1:
    SCENES["wrong_segments"] = Scene(HINTS, wrong_layer=True, bad=0.1, transient=0.3, must=((Kind.FILL, Fill.FAILED),))
if "UNIT_SCENES" in os.environ:
    SCENES = {name: SCENES[name] for name in os.environ["UNIT_SCENES"].split()}

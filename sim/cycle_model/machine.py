"""The model's state before a run, built from a job."""

from typing import NamedTuple

import numpy as np

from ...hw.config import UnitConfig
from ...traces.errors import UserError
from ..key_ranking import KeyRanking
from ..replay_result import ReplayJob
from . import fields as f
from .columns import trace_of
from .tables import Ints, Store, Tables, Trace, WeightTables

LINE_BYTES = 4096
PROFILED_CONFIDENCE = 2
RANKINGS = {"fixed": f.RANK_FIXED, "uses": f.RANK_USES, "next_use": f.RANK_NEXT_USE}
PREDICTORS = ("st_moe", "st_moe_paper", "weights")
PAPER, WEIGHTS = "st_moe_paper", "weights"


class Machine(NamedTuple):
    """A run's state, in the order of `simulate`'s parameters."""

    mem: Ints
    store: Store
    trace: Trace
    tables: Tables


def build_machine(job: ReplayJob, *, logging: bool) -> Machine:
    """Return the state before the first cycle; raises UserError for what the model does not cover."""
    for name in job.unit.predictors:
        if name not in PREDICTORS:
            raise UserError(f"unit: predictors = {name}: the cycle model knows {', '.join(PREDICTORS)} only")
    if job.unit.pages_tables:
        raise UserError(f"unit: {job.unit.paging}: the cycle model knows tables on chip only, 0")
    if job.unit.mapping_window:
        raise UserError(f"unit: mapping_window = {job.unit.mapping_window}: the cycle model grants in order only, 0")
    if job.unit.segments > 1:
        raise UserError(f"unit: segments = {job.unit.segments}: the cycle model knows experts in one piece only, 1")
    trace = trace_of(job)
    mem = _memory(job)
    _configure(mem, job, trace, logging)
    _reset(mem)
    if job.ranking is not None:
        _rank_keys(mem, job.ranking)
    demand = int(trace.first_beat[-1])
    candidates = len(trace.hint_expert) + len(trace.layer) * job.settings["n_experts"]
    most_logged = 64 * demand + 4 * candidates + 4096 if logging else 0
    store = Store(
        slack=np.empty(demand, np.int64),
        step_end=np.zeros(int(trace.step_first.sum()) + 1, np.int64),
        log=np.zeros((most_logged, f.N_COLUMNS), np.int64),
    )
    return Machine(mem, store, trace, _tables(job))


def _configure(mem: Ints, job: ReplayJob, trace: Trace, logging: bool) -> None:
    unit, settings, work = job.unit, job.settings, job.workload
    length = work.background_length if work.background_period else 0
    if length >= work.background_period > 0:
        raise UserError(f"{job.name}: background_length = {length}: must be below background_period")
    values = {
        f.C_LAYERS: settings["n_layers"],
        f.C_EXPERTS: settings["n_experts"],
        f.C_SLOTS: settings["n_slots"],
        f.C_ALL_SLOTS: unit.slots,
        f.C_SEARCH: search_latency(unit, settings["n_slots"]),
        f.C_HORIZON: unit.horizon,
        f.C_BUDGET: settings["budget"],
        f.C_VICTIM: settings.get("victim_policy", 0),
        f.C_ABORT: settings.get("abort_policy", 0),
        f.C_EVICT_AT_END: settings.get("evict_at_event_end", 0),
        f.C_MIN_SCORE: settings.get("min_score", 0),
        f.C_HOLDS: job.predictor == PAPER,
        f.C_HOLD_CYCLES: settings.get("hold_cycles", 0),
        f.C_HINTS: settings.get("hints", 0),
        f.C_HINTS_FIRST: settings.get("hints_first", 0),
        f.C_SELECTED: settings.get("predictor", 0),
        f.C_PREDICTORS: len(unit.predictors),
        f.C_MAX_EXPERTS: unit.max_experts,
        f.C_ELEMENTS: unit.n_pe,
        f.C_BANKS: unit.banks,
        f.C_EXPERT_BEATS: settings["expert_beats"],
        f.C_EXPERT_CYCLES: work.expert_cycles,
        f.C_ATTENTION: work.attention_cycles,
        f.C_STEP: work.step_cycles,
        f.C_LATENCY: max(1, work.latency_cycles),
        f.C_CYCLES_PER_BEAT: max(1, work.cycles_per_beat),
        f.C_BACKGROUND_PERIOD: work.background_period,
        f.C_BACKGROUND_LENGTH: length,
        f.C_OUTSTANDING: settings["outstanding"],
        f.C_BURST_BEATS: settings["burst_beats"],
        f.C_LINE_BEATS: LINE_BYTES // unit.bus_bytes,
        f.C_EVENTS: len(trace.layer),
        f.C_ROW_ENTRIES: settings["row_entries"],
        f.C_TABLE_ENTRIES: unit.max_top_k,
        f.C_LANES: unit.predictor_lanes,
        f.C_LOGGING: logging,
        f.C_QUEUE_DEPTH: unit.queue_depth,
        f.C_ENTRIES: unit.outstanding + 2,
        f.C_RELEASE_ROOM: 2 * unit.n_pe - 1,
        f.C_RANKING: f.RANK_NONE if job.ranking is None else RANKINGS[job.ranking.by],
    }
    if unit.has_weights:
        values |= _weight_values(unit, settings)
    for place, value in values.items():
        mem[place] = value


def _weight_values(unit: UnitConfig, settings: dict[str, int]) -> dict[tuple[int, int], int]:
    rules = unit.weight_rules
    older = [layers_back for layers_back, tokens_back in rules.sources if (layers_back, tokens_back) != rules.own]
    lanes = min(unit.weight_lanes, 1 << unit.expert_bits)
    return {
        f.C_WEIGHTS: unit.predictors.index(WEIGHTS) + 1,
        f.C_WEIGHT_AHEAD: rules.ahead,
        f.C_WEIGHT_BITS: rules.bits,
        f.C_WEIGHT_OWN: rules.sources.index(rules.own),
        f.C_WEIGHT_GROUPS: -(-settings["n_experts"] // lanes),
        f.C_WEIGHT_WALK: max(older, default=0) + 1 + len(older) + 1,
    }


def search_latency(unit: UnitConfig, n_slots: int) -> int:
    """Return the cycles of a victim search, as hw/victim_search.py states them."""
    return -(-n_slots // unit.scan_lanes) + 3 + (unit.scan_lanes.bit_length() - 1)


def _memory(job: ReplayJob) -> Ints:
    ranked = (job.unit.max_experts + 4) * job.unit.max_experts
    return np.zeros((f.RANKED + ranked, f.N_COLUMNS), np.int64)


def _reset(mem: Ints) -> None:
    """Set what is not 0 before the first cycle."""
    for place in (f.R_CURRENT, f.R_EVENT, f.R_LRU_FIRST, f.R_LRU_LAST, f.R_HINT_HELD, f.R_LAST_TAKE, f.R_WEIGHT_LAYER):
        mem[place] = -1
    for place in (f.R_LAST_GRANT, f.R_LAST_PUSH, f.R_LAST_POP, f.R_LAST_MEMBER_POP):
        mem[place] = -1
    times = (f.R_CLOSED, f.R_END, f.R_AGENT_DONE, f.R_HINT_AT, f.R_OFFERED)
    for place in (*times, f.R_FIRST_FINISH, f.R_FIRST_DONE, f.R_FIRST_COMPLETE):
        mem[place] = f.INF
    mem[f.R_FREE_SLOTS] = mem[f.C_SLOTS]
    mem[f.R_IDLE_ELEMENTS] = mem[f.C_ELEMENTS]
    mem[f.ENTRY : f.ENTRY + mem[f.C_ENTRIES], f.X_COMPLETE] = f.INF
    mem[f.SLOT : f.SLOT + mem[f.C_ALL_SLOTS], f.S_BEFORE] = -1
    mem[f.SLOT : f.SLOT + mem[f.C_ALL_SLOTS], f.S_AFTER] = -1


def _rank_keys(mem: Ints, ranking: KeyRanking) -> None:
    ranks = ranking.initial.reshape(-1)
    rows = -(-len(ranks) // f.N_COLUMNS)
    padded = np.zeros(rows * f.N_COLUMNS, np.int64)
    padded[: len(ranks)] = ranks
    mem[f.KEY_RANK : f.KEY_RANK + rows] = padded.reshape(rows, f.N_COLUMNS)


def _tables(job: ReplayJob) -> Tables:
    unit, settings = job.unit, job.settings
    n_layers, n_experts, entries = settings["n_layers"], settings["n_experts"], settings["row_entries"]
    shape = (len(unit.predictors), n_layers, n_experts, entries)
    expert = np.broadcast_to(np.arange(entries, dtype=np.uint16), shape).copy()
    confidence = np.zeros(shape, np.uint8)
    if job.predictor not in (None, WEIGHTS) and job.profile is not None:
        selected = unit.predictors.index(job.predictor)
        expert[selected] = job.profile.rows
        confidence[selected] = PROFILED_CONFIDENCE
    return Tables(
        wraps=np.array([name != PAPER for name in unit.predictors], np.uint8),
        expert=expert,
        confidence=confidence,
        history=np.zeros((n_layers, n_experts), np.uint8),
        history_valid=np.zeros(n_layers, np.uint8),
        in_event=np.zeros(unit.max_experts, np.uint8),
        score=np.zeros(unit.max_experts, np.int64),
        weights=_weight_tables(job),
    )


def _weight_tables(job: ReplayJob) -> WeightTables:
    rules, profile = job.unit.weight_rules, job.weight_profile
    n_layers, n_experts = job.settings["n_layers"], job.settings["n_experts"]
    rows = len(rules.sources) * n_experts
    is_selected = job.predictor == WEIGHTS
    table = np.zeros((n_layers, rows, n_experts) if is_selected else (0, 0, 0), np.int8)
    if is_selected and profile is not None:
        table[:] = profile.tables.reshape(table.shape)
    return WeightTables(
        layers_back=np.array([layers_back for layers_back, _ in rules.sources], np.int64),
        table=table,
        latest=np.zeros((n_layers, n_experts), np.uint16),
        latest_count=np.zeros(n_layers, np.int64),
        layer=np.full(rules.ahead + 1, -1, np.int64),
        row_count=np.zeros(rules.ahead + 1, np.int64),
        rows=np.zeros((rules.ahead + 1, rows), np.int32),
        sums=np.zeros((rules.ahead + 1, n_experts), np.int32),
    )

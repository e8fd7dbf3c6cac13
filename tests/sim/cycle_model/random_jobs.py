"""Random replay jobs on a few fixed units: everything that a register, a workload or a trace can vary."""

import random
from pathlib import Path

import numpy as np
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.weight_rules import MAX_LAYERS_BACK
from moefetch.sim.profile import Profile
from moefetch.sim.replay_events import Hint, ReplayEvent, RouterBeat
from moefetch.sim.replay_result import ReplayJob
from moefetch.sim.weight_profile import WeightProfile
from moefetch.sim.workload import Workload

TINY = UNIT_PRESETS["tiny"]


def random_weights_unit(seed: int) -> UnitConfig:
    """Return a unit with `weights`, alone or beside others, whose weight parameters are random."""
    rng = random.Random(f"unit {seed}")
    ahead = rng.randint(1, 4)
    older = [(0, 1), *((layers_back, 0) for layers_back in range(ahead + 1, MAX_LAYERS_BACK + 1))]
    sources = [(ahead, 0), *rng.sample(older, rng.randint(0, min(4, len(older))))]
    others = rng.sample(["st_moe", "st_moe_paper"], rng.randint(0, 2))
    return TINY.replace(
        max_layers=rng.randint(1, 12), max_experts=rng.randint(4, 48), slots=16, banks=4, horizon=8, queue_depth=8,
        predictors=rng.sample(["weights", *others], 1 + len(others)), weight_sources=rng.sample(sources, len(sources)),
        weight_ahead=ahead, weight_bits=rng.randint(2, 8), weight_lanes=rng.choice([4, 8, 16, 32, 64, 128]),
    )  # fmt: skip


UNITS: dict[str, UnitConfig] = {
    "tiny": TINY,
    "wide": TINY.replace(
        max_experts=16, max_top_k=4, slots=16, slot_bytes=8192, bus_bytes=16, banks=4, n_pe=4, outstanding=8,
        queue_depth=8, scan_lanes=4, horizon=4, predictor_lanes=2,
    ),
    "narrow": TINY.replace(
        banks=1, n_pe=3, slots=6, slot_bytes=256, scan_lanes=1, horizon=1, outstanding=1, queue_depth=2,
        predictors=("st_moe",),
    ),
    "odd": TINY.replace(
        max_layers=3, max_experts=20, max_top_k=3, slots=24, banks=3, n_pe=5, bus_bytes=32, slot_bytes=10240,
        outstanding=5, queue_depth=5, scan_lanes=8, horizon=8, predictors=("st_moe_paper",), predictor_lanes=3,
    ),
    "groups": TINY.replace(
        max_layers=3, max_experts=40, max_top_k=4, slots=32, banks=8, bus_bytes=8, slot_bytes=9000 // 8 * 8,
        predictor_lanes=4, scan_lanes=16, outstanding=16, queue_depth=32, horizon=4,
    ),
    "blind": TINY.replace(
        max_experts=64, max_top_k=8, slots=64, banks=16, n_pe=8, bus_bytes=64, slot_bytes=16384, outstanding=32,
        queue_depth=16, scan_lanes=32, horizon=4, predictors=(),
    ),
    "weights": TINY.replace(predictors=("weights",), weight_lanes=4, weight_sources=((1, 0), (0, 1), (2, 0))),
    "far": TINY.replace(
        max_layers=7, max_experts=40, max_top_k=4, slots=32, banks=8, queue_depth=16, scan_lanes=4, horizon=4,
        predictors=("weights",), weight_ahead=3, weight_bits=8, weight_lanes=16, weight_sources=((6, 0), (3, 0)),
    ),
    "beside": TINY.replace(
        max_layers=6, max_experts=24, max_top_k=4, slots=16, banks=4, queue_depth=8, scan_lanes=4, horizon=2,
        predictors=("st_moe", "weights", "st_moe_paper"), weight_bits=3,
    ),
    **{f"weights-{seed}": random_weights_unit(seed) for seed in range(8)},
}  # fmt: skip
"""Name -> unit; each is one build of the simulator."""
CONFIDENCE_SCORES = [0, 1, 2, 2, 2, 3, 6]
WEIGHT_SCORES = [0, 104, 104, 120, 121, 128, 140]
"""What a job may ask of its candidates: ST-MoE's, and those of `weights`."""


def random_job(seed: int, name: str, most_events: int = 60) -> ReplayJob:
    """Return a job on unit `name`; the same seed gives the same job."""
    rng = random.Random(f"{seed} {name}")
    unit = UNITS[name]
    n_layers = rng.randint(1, unit.max_layers)
    n_experts = rng.randint(2, unit.max_experts)
    row_entries = rng.randint(1, min(unit.max_top_k, n_experts))
    beats = rng.choice([rng.randint(1, unit.slot_beats), rng.randint(1, min(48, unit.slot_beats))])
    predictor = rng.choice([None, *unit.predictors, *unit.predictors])
    hints = rng.random() < 0.4
    top_k = tuple(rng.choice([row_entries, rng.randint(1, unit.max_top_k)]) for _ in range(n_layers))
    settings = {
        "n_layers": n_layers,
        "n_experts": n_experts,
        "n_slots": rng.choice([unit.slots, rng.randint(1, unit.slots)]),
        "row_entries": row_entries,
        "expert_beats": beats,
        "base": 0x12_3456_7000,
        "layer_stride": 4096 * 64 * n_experts,
        "expert_stride": 4096 * 64,
        "outstanding": rng.choice([unit.outstanding, rng.randint(1, unit.outstanding)]),
        "burst_beats": rng.choice([1, 4, 16, 64, 256, rng.randint(1, 256)]),
        "hints": int(hints),
        "hints_first": rng.randrange(2),
        "budget": rng.choice([0, row_entries, n_experts, rng.randint(0, n_experts)]),
        "victim_policy": rng.randrange(2),
        "abort_policy": rng.randrange(3),
        "evict_at_event_end": int(rng.random() < 0.3),
        "min_score": rng.choice(WEIGHT_SCORES if predictor == "weights" else CONFIDENCE_SCORES),
        "hold_cycles": rng.choice([0, rng.randint(0, 400)]),
        "predictor": 0 if predictor is None else unit.predictors.index(predictor) + 1,
    }
    return ReplayJob(
        name=f"{name}-{seed}",
        policy="random",
        events=random_events(rng, unit, n_layers, n_experts, top_k, hints, rng.randint(1, most_events)),
        workload=random_workload(rng, unit, settings),
        unit=unit,
        predictor=predictor,
        settings=settings,
        top_k=top_k,
        **random_tables(rng, unit, predictor, settings),
    )


def random_workload(rng: random.Random, unit: UnitConfig, settings: dict[str, int]) -> Workload:
    """Return phases, link and background traffic; the geometry is the settings'."""
    period = rng.choice([0, 0, rng.randint(2, 300)])
    return Workload(
        model="random",
        platform="random",
        scale=1,
        clock_hz=1_000_000_000,
        n_layers=settings["n_layers"],
        n_experts=settings["n_experts"],
        top_k=settings["row_entries"],
        slots=settings["n_slots"],
        n_pe=unit.n_pe,
        bus_bytes=unit.bus_bytes,
        expert_bytes=settings["expert_beats"] * unit.bus_bytes,
        attention_cycles=rng.choice([0, rng.randint(0, 40), rng.randint(0, 1500)]),
        step_cycles=rng.choice([0, rng.randint(0, 300)]),
        expert_cycles=rng.choice([settings["expert_beats"], rng.randint(1, 300)]),
        latency_cycles=rng.choice([0, 1, rng.randint(1, 20), rng.randint(1, 120)]),
        cycles_per_beat=rng.choice([1, 1, 1, 2, 3]),
        outstanding=settings["outstanding"],
        max_burst_beats=settings["burst_beats"],
        background_period=period,
        background_length=rng.randint(0, max(0, (period * 3) // 4)) if period else 0,
    )


def random_events(rng, unit, n_layers, n_experts, top_k, hints, count) -> list[ReplayEvent]:
    """Return events with locality between tokens, batches and truncated top-k.

    Layers come in ring order; on a unit with `weights`, which prepares for that, some jobs leave it.
    """
    batch = rng.choice([1, 1, 2, rng.randint(1, 4)])
    favourites = [rng.sample(range(n_experts), min(n_experts, unit.max_top_k + 2)) for _ in range(n_layers)]
    locality = rng.choice([0.0, 0.6, 0.9])
    jumps = rng.choice([0.0, 0.0, 0.2]) if unit.has_weights else 0
    events, layer = [], -1
    for number in range(count):
        layer = rng.randrange(n_layers) if jumps and rng.random() < jumps else (layer + 1) % n_layers
        beats: list[RouterBeat] = []
        for _ in range(rng.randint(1, batch)):
            pool = favourites[layer] if rng.random() < locality else list(range(n_experts))
            wanted = rng.choice([top_k[layer], top_k[layer], rng.randint(1, unit.max_top_k + 1)])
            chosen = rng.sample(pool, min(len(pool), wanted))
            beats += [RouterBeat(e, rng.randrange(256), e is chosen[-1]) for e in chosen]
        start = layer == 0 and (number == 0 or rng.random() < 0.15)
        events.append(ReplayEvent(layer, number == 0 or layer <= events[-1].layer, start, tuple(beats), ()))
    if hints:
        for number, event in enumerate(events):
            events[number] = event._replace(hints=_hints(rng, events, number, n_layers, n_experts))
    return events


def _hints(rng, events, number, n_layers, n_experts) -> tuple[Hint, ...]:
    """Return hints for a coming event, right ones and wrong ones."""
    ahead = rng.choice([1, 1, rng.randint(1, n_layers)])
    layer = (events[number].layer + ahead) % n_layers
    right = [beat.expert for beat in events[number + ahead].beats] if number + ahead < len(events) else []
    named = [e for e in dict.fromkeys(right) if rng.random() < 0.8]
    named += [rng.randrange(n_experts) for _ in range(rng.choice([0, 0, 1, 3]))]
    return tuple(Hint(layer, expert, rng.randrange(256)) for expert in named)


def random_tables(rng, unit, predictor, settings) -> dict[str, Profile | WeightProfile]:
    """Return what a job's predictor starts from, if it is not empty, by the job's field."""
    if predictor is None or rng.random() >= 0.7:
        return {"profile": None}
    n_layers, n_experts = settings["n_layers"], settings["n_experts"]
    if predictor != "weights":
        return {"profile": random_profile(rng, n_layers, n_experts, settings["row_entries"])}
    rules, shape = unit.weight_rules, (n_layers, len(unit.weight_sources), n_experts, n_experts)
    tables = np.random.default_rng(rng.randrange(1 << 32)).integers(rules.lowest, rules.highest + 1, shape, np.int8)
    return {"profile": None, "weight_profile": WeightProfile(rules, tables)}


def random_profile(rng, n_layers, n_experts, row_entries) -> Profile:
    """Return rows of distinct experts."""
    rows = [[rng.sample(range(n_experts), row_entries) for _ in range(n_experts)] for _ in range(n_layers)]
    return Profile(np.array(rows, np.uint16))


def folder_of(job: ReplayJob, root: Path) -> Path:
    """Return the job's scratch folder."""
    return root / job.name

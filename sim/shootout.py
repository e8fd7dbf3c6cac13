"""The shoot-out of predictors on one trace: recall at several budgets, and what each predictor costs.

The first half of the tokens is the profile; all learn on through the second half, over which recall is measured. Layer
0 is kept apart. No cache, link or time: a replay has those.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..hw.config import UnitConfig
from ..hw.weight_rules import WeightRules
from ..traces.format import ABSENT, Trace
from . import named_by_weights, named_experts
from .event_keys import event_keys
from .halves import Part, halves
from .named_by_weights import NamedExperts
from .network_limit import NetworkResults, network_bits, network_forms
from .policies import KNOWN_POLICIES
from .prediction_time import prediction_cycles
from .predictors.interface import MAX_SCORE
from .profile import Profile
from .recall import ranking_budgets
from .recall_curves import RecallCurves
from .storage_bits import table_bits
from .weight_profile import WeightProfile

CALIBRATION_STEP = 8
FEWEST_CALIBRATED = 100
"""Scores seen less often say nothing of a probability."""

COUNT_BITS = 16
"""Bits of a count in the tables of the predictors that count and are no hardware here."""

LIGHT = WeightRules(((1, 0), (2, 0), (0, 1)), 4)
"""Fewer sources and bits: 40 % less memory."""
HEAVY = WeightRules(((1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (0, 1)), 6)
"""More of both."""


@dataclass(frozen=True)
class Contender:
    """One predictor's figures.

    `recall` and `recall_layer_0` are at the budgets of the shoot-out, None where it names nothing; `needed` is the mean
    number of experts, best first, for the recall of ST-MoE's own set, and `needed_share` that as a share of the set's
    size; `table_bits` are of the whole model, `cycles` from the last router beat to the commit of the k-th candidate
    (modelled), None where there is no such hardware.
    """

    name: str
    recall: tuple[float, ...]
    recall_layer_0: tuple[float, ...] | None
    needed: float | None
    needed_share: float | None
    table_bits: int
    cycles: int | None


class Calibration(NamedTuple):
    """How often an expert whose score is `score` to `score` + `CALIBRATION_STEP` - 1 was needed."""

    score: int
    experts: int
    probability: float


@dataclass(frozen=True)
class Shootout:
    """All contenders on one trace. `set_recall` and `set_size` are those of ST-MoE's own set.

    `calibration` is that of the weights' scores; `by_threshold` the recall at each of the budgets as a mean, the
    experts of an event being those above one score (the weights, profiled), where `recall` has a fixed number.
    """

    trace: str
    model: str
    geometry: tuple[int, int, int]
    profiled: int
    scored: int
    budgets: tuple[int, ...]
    set_recall: float
    set_size: float
    contenders: tuple[Contender, ...]
    calibration: tuple[Calibration, ...]
    by_threshold: tuple[float, ...]

    def document(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {"label": "recall measured, cycles modelled"} | asdict(self)


def shoot_out(
    trace: Trace,
    name: str,
    unit: UnitConfig,
    show: Callable[[int, int], None] = lambda done, total: None,
    *,
    networks: NetworkResults | None = None,
) -> Shootout:
    """Measure all contenders on `trace`, decode tokens alone; `unit` gives rules and lanes.

    `networks` keeps the results of those that are trained for the limit; without it there is no limit.
    """
    meta = trace.meta
    first, second = halves(trace)
    n_experts, top_k = meta.n_experts, meta.top_k
    budgets = tuple(min(budget, n_experts) for budget in ranking_budgets(top_k))
    profile = Profile.count(first.experts, first.starts, n_experts, top_k)
    ranked, sizes = named_experts.st_moe_sets(second.experts, second.starts, profile, n_experts)
    later = second.experts[:, 1:]
    set_size = float(sizes[:, 1:].mean())
    set_recall = _recall_of_sets(later, ranked[:, 1:], sizes[:, 1:])
    known = _named_without_weights(first, second, n_experts, top_k, budgets[-1])
    makers: dict[str, Callable[[], NDArray[np.uint16]]] = {
        key: lambda value=value: value for key, value in known.items()
    }
    makers["ST-MoE, cold"] = lambda: named_experts.st_moe_cold(*second[:2], n_experts, top_k, n_experts)
    makers["ST-MoE, ranked"] = lambda: ranked
    for label, rules, is_profiled in _weight_forms(unit):
        makers[label] = lambda rules=rules, is_profiled=is_profiled: (
            _weights(first, second, n_experts, rules, is_profiled).experts
        )
    if second.hints is not None:
        makers["hints"] = lambda: second.hints  # type: ignore[return-value]
    contenders = []
    for index, (label, make) in enumerate(makers.items()):
        show(index, len(makers))
        named = make()
        bits, cycles = _cost(label, unit, meta.n_layers, n_experts, top_k)
        curves = RecallCurves.of(second.experts, named)
        contenders.append(_contender(label, curves, budgets, set_recall, set_size, bits, cycles))
    if networks is not None:
        for label, recipe in network_forms(unit.weight_rules).items():
            curves = networks.curves(trace, name, recipe, show)
            bits = network_bits(recipe, meta.n_layers, n_experts)
            contenders.append(_contender(label, curves, budgets, set_recall, set_size, bits, None))
    calibration, by_threshold = _confidence(first, second, n_experts, unit.weight_rules, budgets)
    return Shootout(
        name, meta.model, (meta.n_layers, n_experts, top_k), len(first.starts), len(second.starts), budgets,
        set_recall, set_size, tuple(contenders), calibration, by_threshold,
    )  # fmt: skip


def cross_domain(traces: dict[str, Trace], rules: WeightRules) -> dict[str, dict[str, float]]:
    """Return recall at k of the weights [profile's trace][trace run on]: profile first halves, run on second halves.

    The traces must have one geometry. Row "none" starts from zeros.
    """
    parts = {name: halves(trace) for name, trace in traces.items()}
    meta = next(iter(traces.values())).meta
    tables: dict[str, NDArray[np.int8] | None] = {"none": None}
    for name, (first, _) in parts.items():
        tables[name] = WeightProfile.train(first.experts, first.starts, meta.n_experts, rules).tables
    found: dict[str, dict[str, float]] = {}
    for source, table in tables.items():
        found[source] = {}
        for name, (_, second) in parts.items():
            named, _ = named_by_weights.weights(
                second.experts, second.starts, meta.n_experts, rules, meta.top_k, tables=table
            )
            (found[source][name],) = named_by_weights.ranked_recall(
                second.experts[:, 1:], named.experts[:, 1:], (meta.top_k,)
            )
    return found


def _confidence(
    first: Part, second: Part, n_experts: int, rules: WeightRules, budgets: tuple[int, ...]
) -> tuple[tuple[Calibration, ...], tuple[float, ...]]:
    """Return the calibration of the scores, and the recall of sets above a score with the mean sizes `budgets`."""
    named = _weights(first, second, n_experts, rules, True)
    scores = named.scores[:, 1:]
    needed = named_experts.is_among(named.experts[:, 1:], second.experts[:, 1:])
    count = np.bincount(scores.ravel(), minlength=MAX_SCORE + 1)
    hits = np.bincount(scores[needed], minlength=MAX_SCORE + 1)
    steps = (MAX_SCORE + 1) // CALIBRATION_STEP
    bins, found = (values.reshape(steps, CALIBRATION_STEP).sum(axis=1) for values in (count, hits))
    calibration = tuple(
        Calibration(step * CALIBRATION_STEP, int(bins[step]), float(found[step] / bins[step]))
        for step in range(steps)
        if bins[step] >= FEWEST_CALIBRATED
    )
    sizes = count[::-1].cumsum() / (scores.shape[0] * scores.shape[1])
    recalls = hits[::-1].cumsum() / hits.sum()
    return calibration, tuple(float(np.interp(budget, sizes, recalls)) for budget in budgets)


def _weight_forms(unit: UnitConfig) -> list[tuple[str, WeightRules, bool]]:
    return [
        ("weights, cold", unit.weight_rules, False),
        ("weights", unit.weight_rules, True),
        (f"weights, {len(LIGHT.sources)} x {LIGHT.bits} bits", LIGHT, True),
        (f"weights, {len(HEAVY.sources)} x {HEAVY.bits} bits", HEAVY, True),
    ]


def _weights(first: Part, second: Part, n_experts: int, rules: WeightRules, is_profiled: bool) -> NamedExperts:
    tables = WeightProfile.train(first.experts, first.starts, n_experts, rules).tables if is_profiled else None
    return named_by_weights.weights(second.experts, second.starts, n_experts, rules, n_experts, tables=tables)[0]


def _named_without_weights(
    first: Part, second: Part, n_experts: int, top_k: int, width: int
) -> dict[str, NDArray[np.uint16]]:
    n_layers = first.experts.shape[1]
    keys = event_keys(first.experts, n_experts)
    counts = np.bincount(keys[keys >= 0], minlength=n_layers * n_experts).reshape(n_layers, -1)
    return {
        "previous token": named_experts.previous_token(second.experts, second.starts),
        "static hot set": named_experts.static_hot_set(counts, len(second.starts), width),
        "conditional counts": named_experts.cross_layer(second.experts, first.experts, n_experts, width),
    }


def _cost(label: str, unit: UnitConfig, n_layers: int, n_experts: int, top_k: int) -> tuple[int, int | None]:
    """Return table bits of the whole model, and cycles to the k-th candidate."""
    if label.startswith("weights"):
        forms = {name: rules for name, rules, _ in _weight_forms(unit)}
        rules = forms[label]
        fitted = unit.replace(
            max_experts=max(2, n_experts), max_top_k=top_k, predictor_lanes=1, predictors=("weights",)
        )
        bits = table_bits("weights", n_layers, n_experts, top_k, rules)
        return bits, prediction_cycles(fitted, KNOWN_POLICIES["weights"], top_k)
    if label.startswith("ST-MoE"):
        fitted = unit.replace(max_experts=max(2, n_experts), max_top_k=top_k, predictor_lanes=1)
        bits = table_bits("st_moe", n_layers, n_experts, top_k, unit.weight_rules)
        return bits, prediction_cycles(fitted, KNOWN_POLICIES["st_moe"], top_k)
    bits = {
        "previous token": n_layers * n_experts,
        "static hot set": n_layers * n_experts,
        "conditional counts": n_layers * n_experts**2 * COUNT_BITS,
    }
    return bits.get(label, 0), None


def _contender(
    name: str,
    curves: RecallCurves,
    budgets: tuple[int, ...],
    set_recall: float,
    set_size: float,
    bits: int,
    cycles: int | None,
) -> Contender:
    needed = curves.needed(set_recall)
    share = None if needed is None else needed / set_size
    return Contender(name, curves.at(budgets), curves.layer_0_at(budgets), needed, share, bits, cycles)


def _recall_of_sets(experts: NDArray[np.uint16], ranked: NDArray[np.uint16], sizes: NDArray[np.uint16]) -> float:
    """Return the share of `experts` among the first `sizes` of `ranked`."""
    cut = np.where(np.arange(ranked.shape[2]) < sizes[..., None], ranked, ABSENT)
    present = experts != ABSENT
    return float((named_experts.is_among(experts, cut) & present).sum() / present.sum())

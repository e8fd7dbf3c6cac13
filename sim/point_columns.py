"""The columns of results: a row for each design point, every column with kind, label, unit and formula.

Sweeps, explorations and `moefetch.sim.replay` write the same columns; docs/sweep.md lists them.
"""

import json
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, get_args

import pyarrow as pa
from pydantic import BaseModel

from ..hw.config import UnitConfig
from ..hw.counter_names import COUNTERS
from .any_policy import scale_policies
from .compare import OWN_MEANINGS
from .design_point import DesignPoint, PointRun
from .figure import Label
from .metrics import FIGURES, derive_figures
from .model_spec import ModelSpec
from .platform_spec import PlatformSpec
from .policies import DEFAULT_VICTIM, PolicyOptions
from .prediction_time import slowest_prediction
from .replay_result import MODEL_ENGINE
from .report import BY_MODEL
from .source_digest import tool_version
from .storage_bits import SRAM_FORMULA, TABLE_FORMULA, policy_table_bits, sram_bits

RESULTS_VERSION = 1
METADATA_KEY = b"moefetch_results"
"""Key of the table's metadata: JSON with version, command, tool and what the command adds."""
OF_BASELINE = ("coverage", "traffic_ratio", "energy_ratio", "edp_ratio", "speed_up")
"""Figures that compare with policy `none` of the same group; null where that was not run."""
SPECS: dict[str, type[BaseModel]] = {"model": ModelSpec, "platform": PlatformSpec, "unit": UnitConfig}
Row = dict[str, Any]


class ColumnText(NamedTuple):
    """A column: its Arrow type, `kind` (identity, parameter, figure, counter), label, unit and formula or meaning."""

    type: pa.DataType
    kind: str
    label: str
    unit: str
    formula: str


@cache
def columns(modelled: bool = True) -> dict[str, ColumnText]:
    """Return name -> column, in the order of the file; the RTL's figures are simulated, not `modelled`."""
    return _identity() | _parameters() | _figures(modelled) | _counters(modelled)


def schema(metadata: dict[str, Any] | None = None, *, modelled: bool = True) -> pa.Schema:
    """Return the Arrow schema of results; `metadata` goes into the table's own."""
    found = [
        pa.field(name, column.type, metadata={key: getattr(column, key) for key in ColumnText._fields[1:]})
        for name, column in columns(modelled).items()
    ]
    document = {"results_version": RESULTS_VERSION, "tool": tool_version(), **(metadata or {})}
    return pa.schema(found, metadata={METADATA_KEY: json.dumps(document)})


def to_table(rows: Sequence[Row], metadata: dict[str, Any] | None = None) -> pa.Table:
    """Return rows as an Arrow table, those figures filled in that compare with policy `none` of the group."""
    modelled = all(row["engine"] == MODEL_ENGINE for row in rows)
    return pa.Table.from_pylist(with_baselines(rows), schema=schema(metadata, modelled=modelled))


def parameters_of(spec: type[BaseModel], prefix: str) -> dict[str, Any]:
    """Return dotted name -> type annotation of each field below a specification, but for its name and sources."""
    found = {}
    for name, info in spec.model_fields.items():
        if name in ("name", "source"):
            continue
        kind = _without_none(info.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= parameters_of(kind, f"{prefix}.{name}")
        else:
            found[f"{prefix}.{name}"] = kind
    return found


def _without_none(annotation: Any) -> Any:
    """Return T of `T | None`, anything else as it is."""
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return kinds[0] if isinstance(annotation, UnionType) and len(kinds) == 1 else annotation


def row_of(found: PointRun) -> Row:
    """Return a point's row, without what compares with another."""
    point, result = found.point, found.run.result
    meta, workload = found.plan.trace.meta, found.plan.workload
    sram = sram_bits(point.slots, point.model.expert_bytes)
    tables = policy_table_bits(point.policy, meta.n_layers, meta.n_experts, meta.top_k, point.unit.weight_rules)
    slowest = slowest_prediction(point.unit, scale_policies(point.policy), meta.top_k)
    to_scale, statement = workload.to_scale(slowest)
    return {
        **identity_of(point),
        "warm_up": found.warm_up,
        "to_scale": to_scale,
        "scale_statement": statement,
        "engine": result.engine,
        "steps": len(result.step_cycles),
        "tokens": found.run.tokens,
        **derive_figures(found.run),
        **dict.fromkeys(OF_BASELINE),
        "sram_bits": sram,
        "table_bits": tables,
        "storage_bits": None if tables is None else sram + tables,
        "link_beats": found.run.link_beats,
        "wall_seconds": found.seconds,
        **{f"counter.{name}": result.counters[name] for name in COUNTERS},
    }


def identity_of(point: DesignPoint) -> Row:
    """Return what a point is, without its figures."""
    return {
        "point": point.digest,
        "group": point.group,
        "tool": tool_version(),
        "content_sha256": point.content,
        "unit_digest": point.unit.digest,
        "trace": point.trace,
        "model": point.model.name,
        "platform": point.platform.name,
        "policy": point.policy,
        "scale": point.scale,
        "tokens_asked": point.tokens,
        "batch": point.batch,
        "slots": point.slots,
        **{f"options.{field.name}": getattr(point.options, field.name) for field in fields(PolicyOptions)},
        **{
            name: _plain(_value(getattr(point, part), name.removeprefix(f"{part}.")))
            for part, spec in SPECS.items()
            for name in parameters_of(spec, part)
        },
    }


def with_baselines(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with the figures `OF_BASELINE`, against policy `none` of their group and victim policy.

    Rows that choose their own victims are set against LRU, the default.
    """
    baselines = {_baseline(row): row for row in rows if row["policy"] == "none"}
    return [row | _against(row, baselines.get(_baseline(row))) for row in rows]


def _baseline(row: Row) -> tuple[str, str]:
    return row["group"], row["options.victim"] or DEFAULT_VICTIM


def _against(row: Row, none: Row | None) -> Row:
    if none is None:
        return dict.fromkeys(OF_BASELINE)
    missed = _ratio("counter.miss", row, none)
    return {
        "coverage": None if missed is None else 1 - missed,
        "traffic_ratio": _ratio("link_beats", row, none),
        "energy_ratio": _ratio("energy_per_token", row, none),
        "edp_ratio": _ratio("edp", row, none),
        "speed_up": _ratio("tpot_mean", none, row),
    }


def _ratio(name: str, row: Row, other: Row) -> float | None:
    return row[name] / other[name] if row[name] is not None and other[name] else None


def _value(spec: BaseModel, path: str) -> Any:
    found: Any = spec
    for name in path.split("."):
        found = None if found is None else getattr(found, name)
    return found


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, tuple) else value


def _identity() -> dict[str, ColumnText]:
    def text(meaning: str) -> ColumnText:
        return ColumnText(pa.string(), "identity", "", "", meaning)

    return {
        "point": text("digest of everything that the result follows from"),
        "group": text("the same without the policy: compare points of one group"),
        "tool": text("version of moefetch and digest of its model"),
        "content_sha256": text("content hash of the trace"),
        "unit_digest": text("digest of the unit's configuration"),
    }


def _parameters() -> dict[str, ColumnText]:
    def text(kind: pa.DataType, meaning: str, unit: str = "") -> ColumnText:
        return ColumnText(kind, "parameter", "", unit, meaning)

    found = {
        "trace": text(pa.string(), "the trace's file"),
        "model": text(pa.string(), "name of the model"),
        "platform": text(pa.string(), "name of the platform"),
        "policy": text(pa.string(), "what prefetches"),
        "scale": text(pa.int64(), "bytes, cycles and latency are divided by it"),
        "tokens_asked": text(pa.int64(), "replayed decode steps, null for all", "steps"),
        "batch": text(pa.int64(), "sequences that share a step"),
        "warm_up": text(pa.int64(), "first steps, left out of all figures", "steps"),
        "slots": text(pa.int64(), "slots in use: the fewer of platform.slots and unit.slots"),
        "to_scale": text(pa.bool_(), "results stand for the real size"),
        "scale_statement": text(pa.string(), "why"),
    }
    for field in fields(PolicyOptions):
        kind = pa.string() if field.name in ("victim", "abort") else pa.int64()
        found[f"options.{field.name}"] = text(kind, "option of the policy, null for its own value")
    for part, spec in SPECS.items():
        for name, kind in parameters_of(spec, part).items():
            found[name] = text(_arrow_type(kind), f"field {name.removeprefix(f'{part}.')} of the {part}")
    return found


def _arrow_type(annotation: Any) -> pa.DataType:
    plain = {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    return plain.get(annotation, pa.string())


def _figures(modelled: bool) -> dict[str, ColumnText]:
    simulated: Label = BY_MODEL["simulated"] if modelled else "simulated"

    def text(kind: pa.DataType, label: str, unit: str, formula: str) -> ColumnText:
        return ColumnText(kind, "figure", label, unit, formula)

    found = {
        "engine": ColumnText(pa.string(), "identity", "", "", "what ran: the cycle model, or the RTL on a simulator"),
        "steps": text(pa.int64(), "measured", "steps", "decode steps behind the warm-up"),
        "tokens": text(pa.int64(), "measured", "tokens", "tokens of these steps"),
    }
    for figure in FIGURES:
        label = simulated if figure.label == "simulated" else figure.label
        found[figure.name] = text(pa.float64(), label, figure.unit, figure.formula)
    speed_up = OWN_MEANINGS["speed_up"]
    return found | {
        "speed_up": text(pa.float64(), simulated, speed_up.unit, speed_up.formula),
        "sram_bits": text(pa.int64(), "modelled", "bits", SRAM_FORMULA),
        "table_bits": text(pa.int64(), "modelled", "bits", TABLE_FORMULA),
        "storage_bits": text(pa.int64(), "modelled", "bits", "sram_bits + table_bits"),
        "link_beats": text(pa.int64(), simulated, "beats", "demand_beats + prefetch_beats + discarded_beats"),
        "wall_seconds": text(pa.float64(), "measured", "seconds", "wall time of the point's set-up and replay"),
    }


def _counters(modelled: bool) -> dict[str, ColumnText]:
    label = BY_MODEL["simulated"] if modelled else "simulated"
    return {
        f"counter.{name}": ColumnText(pa.int64(), "counter", label, "", counter.text)
        for name, counter in COUNTERS.items()
    }

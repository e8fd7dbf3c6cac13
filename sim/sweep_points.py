"""From a sweep's settings to design points: presets are read, changes applied, scale and unit made to fit."""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from ..hw.config import UnitConfig
from ..hw.unit_file import read_unit_config
from ..traces.content_hash import content_hash
from ..traces.errors import UserError
from ..traces.format import Trace
from .any_policy import options_of, scale_policies, unit_policies
from .design_point import DesignPoint
from .jobs import require_geometry
from .model_spec import ModelSpec, load_model
from .planning import parse_scale, read_trace
from .platform_spec import PlatformSpec, load_platform
from .policies import KNOWN_POLICIES, PolicyOptions
from .prediction_time import largest_valid_scale
from .sweep_spec import SweepSpec
from .unit_fit import fit_unit, require_fit, with_predictors
from .workload import Workload, derive

LOADERS: dict[str, Callable[[str], BaseModel]] = {
    "model": load_model,
    "platform": load_platform,
    "unit": read_unit_config,
}
Setting = dict[str, Any]


class KnownTrace(NamedTuple):
    """A trace with its content hash."""

    path: str
    trace: Trace
    content: str


def read_traces(paths: Iterable[str]) -> dict[str, KnownTrace]:
    """Return path -> trace; raises UserError for one that cannot be read."""
    return {path: known_trace(read_trace(Path(path)), path) for path in dict.fromkeys(paths)}


def known_trace(trace: Trace, path: str) -> KnownTrace:
    """Return a trace with its content hash, which only a trace file states."""
    return KnownTrace(path, trace, trace.meta.content_sha256 or content_hash(trace))


def points_of(spec: SweepSpec, traces: dict[str, KnownTrace]) -> list[DesignPoint]:
    """Return the distinct points of a sweep, in the order of its settings; raises UserError at the first that is wrong.

    Settings that differ only in what has no effect, as the budget of a policy without prefetch, are one point.
    """
    require_options_in_use(spec)
    found: dict[str, DesignPoint] = {}
    for setting in spec.settings():
        point = point_of(setting, traces)
        found.setdefault(point.digest, point)
    return list(found.values())


def require_options_in_use(spec: SweepSpec) -> None:
    """Raise UserError for an option that none of the policies takes."""
    policies = unit_policies(spec.parameters["policy"])
    for name in spec.options:
        if not any(name in policy.takes for policy in policies):
            users = ", ".join(policy.name for policy in KNOWN_POLICIES.values() if name in policy.takes)
            raise UserError(f"options.{name}: is of no use here: only {users} take it")


def point_of(setting: Setting, traces: dict[str, KnownTrace]) -> DesignPoint:
    """Return the point of one setting; raises UserError naming parameter, value and rule."""
    policy, changes = setting["policy"], _changes("unit", setting)
    options = PolicyOptions(
        **{name.removeprefix("options."): value for name, value in setting.items() if name.startswith("options.")}
    )
    return make_point(
        traces[setting["trace"]],
        model=_changed("model", setting),
        platform=_changed("platform", setting),
        unit=with_predictors(_changed("unit", setting), unit_policies([policy])),
        fit=lambda unit, workload: _fitted(unit, workload, changes),
        policy=policy,
        options=options,
        scale=parse_scale(setting["scale"]),
        tokens=setting.get("tokens"),
        batch=setting["batch"],
        warm_up=setting.get("warm_up"),
    )


def make_point(
    known: KnownTrace,
    *,
    model: ModelSpec,
    platform: PlatformSpec,
    unit: UnitConfig,
    fit: Callable[[UnitConfig, Workload], UnitConfig],
    policy: str,
    options: PolicyOptions,
    scale: int | None,
    tokens: int | None,
    batch: int,
    warm_up: int | None,
) -> DesignPoint:
    """Return a point; `fit` makes the unit serve the workload, or refuses it. Raises UserError.

    Without a `scale` it is the largest that is valid for the policies of every unit, so that all policies of one
    platform run at the same.
    """
    require_geometry(Path(known.path), known.trace, model)
    if policy in KNOWN_POLICIES and KNOWN_POLICIES[policy].hints and known.trace.hints is None:
        raise UserError(f"{known.path}: has no hints: policy {policy} needs a trace recorded with them")
    if scale is None:
        scale = largest_valid_scale(model, platform, unit, scale_policies(policy), known.trace.meta.top_k)
    return DesignPoint(
        trace=known.path,
        content=known.content,
        model=model,
        platform=platform,
        scale=scale,
        unit=fit(unit, derive(model, platform, scale)),
        policy=policy,
        options=options_of(policy, options),
        tokens=tokens,
        batch=batch,
        warm_up=warm_up,
    )


@cache
def _base(part: str, name: str) -> Any:
    return LOADERS[part](name)


def _changes(part: str, setting: Setting) -> Setting:
    prefix = f"{part}."
    return {
        name.removeprefix(prefix): value
        for name, value in setting.items()
        if name.startswith(prefix) and name != f"{part}.base"
    }


def _changed(part: str, setting: Setting) -> Any:
    """Return a preset or file with the setting's changes; its name and sources stay those of the base."""
    base, changes = _base(part, setting[f"{part}.base"]), _changes(part, setting)
    if not changes:
        return base
    fields = base.model_dump()
    for path, value in changes.items():
        *above, last = path.split(".")
        place = fields
        for name in above:
            if place[name] is None:
                place[name] = {}
            place = place[name]
        place[last] = value
    return _validated(type(base), fields, part, changes)


def _fitted(unit: UnitConfig, workload: Workload, changes: Setting) -> UnitConfig:
    """Return the unit grown to serve the workload, but for what the sweep sets."""
    grown = fit_unit(unit, workload)
    kept = {name: getattr(unit, name) for name in changes}
    if any(getattr(grown, name) != value for name, value in kept.items()):
        grown = _validated(UnitConfig, grown.model_dump() | kept, "unit", changes)
        require_fit(grown, workload, "of the sweep")
    return grown


def _validated(kind: Any, fields: Setting, part: str, changes: Setting) -> Any:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        rule = first["msg"].removeprefix("Value error, ")
        if place:
            raise UserError(f"{part}.{place} = {first['input']!r}: {rule}") from error
        given = ", ".join(f"{part}.{name} = {value!r}" for name, value in changes.items())
        raise UserError(f"{part}: {rule} ({given})") from error

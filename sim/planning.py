"""From what a user names (a recording, a model, a platform, a unit, policies) to the plan of a replay."""

from collections.abc import Iterable
from pathlib import Path

from ..hw.config import UNIT_PRESETS, UnitConfig
from ..traces.errors import UserError
from ..traces.format import Trace
from ..traces.importers.base import ImportOptions
from ..traces.importers.table import import_trace
from .energy_table import EnergyPrices
from .jobs import ReplayPlan, require_geometry
from .model_spec import ModelSpec
from .platform_spec import PlatformSpec
from .policies import Policy
from .prediction_time import largest_valid_scale
from .profile_files import AnyProfile, load_profile, require_profile_fits
from .unit_fit import fit_unit, require_fit, with_predictors
from .workload import derive

NO_PROFILE = "none"
DEFAULT_UNIT = "default"
AUTO_SCALE = "auto"


def read_trace(path: str | Path, experts: int | None = None) -> Trace:
    """Return a trace, or a recording that an importer knows, whole: the profile is counted on its end.

    `experts` is the number in a layer, where a foreign recording does not say. Raises UserError.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        return Trace.read(path)
    return import_trace(path, None, ImportOptions(n_experts=experts))


def plan_replay(
    path: Path,
    trace: Trace,
    *,
    model: ModelSpec,
    platform: PlatformSpec,
    policies: list[Policy],
    scale: int | None = None,
    unit: UnitConfig | None = None,
    unit_name: str = "given",
    tokens: int | None = None,
    batch: int = 1,
    profiles: Iterable[str | Path] | None = None,
    prices: EnergyPrices | None = None,
) -> ReplayPlan:
    """Return the plan of a replay; raises UserError naming what does not go together.

    Without a `scale` it is the largest that is valid for all `policies`; without a `unit` one that fits is made. `path`
    is what errors and reports call the trace.
    """
    require_geometry(path, trace, model)
    chosen = with_predictors(UNIT_PRESETS[DEFAULT_UNIT], policies) if unit is None else unit
    if scale is None:
        scale = largest_valid_scale(model, platform, chosen, policies, trace.meta.top_k)
    workload = derive(model, platform, scale)
    if unit is None:
        chosen = fit_unit(chosen, workload)
    else:
        require_fit(unit, workload, unit_name)
    return ReplayPlan(path, trace, workload, chosen, tokens, batch, read_profiles(profiles, trace, chosen), prices)


def parse_scale(text: str | int) -> int | None:
    """Return a scale, None for the largest that is valid; raises UserError for anything else."""
    if text == AUTO_SCALE:
        return None
    if not str(text).isdecimal() or int(text) < 1:
        raise UserError(f"--scale {text}: must be auto, or a whole number from 1 on")
    return int(text)


def read_profiles(names: Iterable[str | Path] | None, trace: Trace, unit: UnitConfig) -> tuple[AnyProfile, ...] | None:
    """Return the predictors' tables of files, none for `none`, None for those counted on the trace's end."""
    names = list(names or ())
    if not names:
        return None
    if NO_PROFILE in names:
        if len(names) > 1:
            raise UserError(f"--profile {NO_PROFILE}: must be the only one")
        return ()
    meta, found = trace.meta, {}
    for path in map(Path, names):
        profile = load_profile(path)
        require_profile_fits(
            profile, path, n_layers=meta.n_layers, n_experts=meta.n_experts, top_k=meta.top_k, rules=unit.weight_rules
        )
        if type(profile) in found:
            raise UserError(f"--profile {path}: is of the same predictor as another")
        found[type(profile)] = profile
    return tuple(found.values())

"""Whether a unit can run a workload, and which unit can."""

from collections.abc import Iterable
from math import ceil, lcm
from typing import NamedTuple

from pydantic import ValidationError

from ..hw.config import UnitConfig
from ..traces.errors import UserError
from .policies import Policy
from .workload import Workload


class Demand(NamedTuple):
    """What a workload asks of a field of `UnitConfig`: the value itself, or that much at least."""

    field: str
    value: int
    exact: bool
    what: str

    def is_met(self, unit: UnitConfig) -> bool:
        """Return whether `unit` meets it."""
        found = getattr(unit, self.field)
        return found == self.value if self.exact else found >= self.value


def demands(workload: Workload) -> list[Demand]:
    """Return what `workload` asks of a unit. Fewer slots or bursts than the platform's are none of it: they run."""
    return [
        Demand("bus_bytes", workload.bus_bytes, True, "bus"),
        Demand("n_pe", workload.n_pe, True, "processing elements"),
        Demand("max_layers", workload.n_layers, False, "layers"),
        Demand("max_experts", workload.n_experts, False, "experts"),
        Demand("max_top_k", workload.top_k, False, "top-k"),
        Demand("slot_bytes", workload.expert_bytes, False, "expert bytes"),
    ]


def require_fit(unit: UnitConfig, workload: Workload, name: str) -> None:
    """Raise UserError, naming field, value and rule, if the unit called `name` cannot run the workload."""
    if unit.segments > 1:
        rule = "must be 1 for a replay, whose memory holds an expert in one piece"
        raise UserError(f"unit {name}: segments = {unit.segments}: {rule}")
    for demand in demands(workload):
        if not demand.is_met(unit):
            relation = "must be" if demand.exact else "must be at least"
            place = f"{workload.model} on {workload.platform} at scale {workload.scale}"
            value = getattr(unit, demand.field)
            raise UserError(
                f"unit {name}: {demand.field} = {value}: {relation} {demand.value}, the {demand.what} of {place}"
            )


def fit_unit(preset: UnitConfig, workload: Workload) -> UnitConfig:
    """Return `preset` if it serves the workload with all its slots and bursts, else one with capacities replaced.

    Layers, experts and top-k grow to the next power of two, slots to the next number that banks and scan lanes divide.
    Raises UserError for a workload beyond what a unit can be generated for.
    """
    changes: dict[str, int] = {}
    for demand in demands(workload):
        if not demand.is_met(preset):
            grows = demand.field in ("max_layers", "max_experts", "max_top_k")
            changes[demand.field] = _power_of_two(demand.value) if grows else demand.value
    bus_bytes = changes.get("bus_bytes", preset.bus_bytes)
    if changes.get("slot_bytes", preset.slot_bytes) % bus_bytes:
        changes["slot_bytes"] = workload.expert_bytes
    if preset.outstanding < workload.outstanding:
        changes["outstanding"] = workload.outstanding
    if preset.slots < workload.slots:
        step = lcm(preset.banks, preset.scan_lanes)
        changes["slots"] = ceil(workload.slots / step) * step
    if not changes:
        return preset
    try:
        return preset.replace(**changes)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "unit"
        rule = f"{field} = {changes.get(field, '')}: {first['msg']}".replace(" = :", ":")
        raise UserError(f"no unit can serve {workload.model} on {workload.platform}: {rule}") from error


def with_predictors(unit: UnitConfig, policies: Iterable[Policy]) -> UnitConfig:
    """Return `unit`, with the predictors that `policies` need, and no others, if it lacks one of them."""
    needed = tuple(dict.fromkeys(policy.predictor for policy in policies if policy.predictor is not None))
    if set(needed) <= set(unit.predictors):
        return unit
    if unit.pages_tables:
        raise UserError(f"unit: {unit.paging}: has predictor {unit.predictors[0]} alone, not {', '.join(needed)}")
    return unit.replace(predictors=needed)


def _power_of_two(value: int) -> int:
    return 1 << (value - 1).bit_length()

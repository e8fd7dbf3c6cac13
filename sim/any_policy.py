"""Every policy that the cycle model runs, by name: those of units, and its own limits and baselines."""

from collections.abc import Iterable, Sequence

from ..traces.errors import UserError
from .jobs import ReplayPlan
from .model_policies import MODEL_POLICIES
from .policies import KNOWN_POLICIES, POLICIES, Policy, PolicyOptions
from .replay_result import ReplayJob

ALL_POLICIES = "all"


def known_policies() -> list[str]:
    """Return the names of all policies, in the order of reports."""
    return [*KNOWN_POLICIES, *MODEL_POLICIES]


def policy_names(asked: str | Sequence[str]) -> list[str]:
    """Return the policies of `all` (those of every unit), of a list such as `none,oracle` or of a sequence of names.

    Raises UserError for an unknown one.
    """
    if asked == ALL_POLICIES:
        return list(POLICIES)
    names = asked.split(",") if isinstance(asked, str) else asked
    names = list(dict.fromkeys(name.strip() for name in names))
    for name in names:
        if name not in KNOWN_POLICIES and name not in MODEL_POLICIES:
            raise UserError(f"policy {name!r}: unknown: must be one of {', '.join(known_policies())}")
    return names


def unit_policies(names: Iterable[str]) -> list[Policy]:
    """Return those of the named policies that a unit can have."""
    return [KNOWN_POLICIES[name] for name in names if name in KNOWN_POLICIES]


def scale_policies(name: str) -> list[Policy]:
    """Return the policies whose predictions a scale must leave short: those of every unit, so that all policies of a
    platform are compared at one scale, and the named one."""
    return list({policy.name: policy for policy in [*POLICIES.values(), *unit_policies([name])]}.values())


def options_of(name: str, options: PolicyOptions) -> PolicyOptions:
    """Return the options that a policy takes, the others at None; the cycle model's own take none."""
    return options.of(KNOWN_POLICIES[name]) if name in KNOWN_POLICIES else PolicyOptions()


def policy_job(plan: ReplayPlan, name: str, options: PolicyOptions) -> ReplayJob:
    """Return the replay of a plan under a policy; raises UserError for what trace or unit lack."""
    if name in KNOWN_POLICIES:
        return plan.job(KNOWN_POLICIES[name], options)
    return MODEL_POLICIES[name].job(plan)

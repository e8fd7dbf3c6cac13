"""The replay's policies: which predictor or hints decide what is prefetched, and with which settings."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from ..hw.records import AbortPolicy, VictimPolicy
from ..hw.weight_rules import CENTRE
from ..traces.errors import UserError

PREDICTOR_OPTIONS = frozenset({"victim", "abort", "budget", "min_score"})


@dataclass(frozen=True)
class Policy:
    """One way to prefetch.

    `predictor` is the name of a unit's predictor or None; `hints` says whether the trace's hints are played. The
    budget of a target event is all experts with `whole_set`, else top-k; candidates score `min_score` or more, on a
    tight link `tight_min_score`, unless a user says otherwise. `takes` names the fields of `PolicyOptions` that have a
    meaning here.
    """

    name: str
    text: str
    predictor: str | None = None
    hints: bool = False
    whole_set: bool = False
    frees_at_event_end: bool = False
    holds: bool = False
    takes: frozenset[str] = frozenset({"victim"})
    min_score: int = 2
    tight_min_score: int | None = None


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("none", "no prefetch: every expert that is not resident is fetched on demand"),
        Policy(
            "st_moe_paper",
            "ST-MoE as published: the whole set, held back to the end of attention, slots freed at each event's end",
            predictor="st_moe_paper",
            whole_set=True,
            frees_at_event_end=True,
            holds=True,
            takes=frozenset({"victim", "abort", "hold_cycles", "min_score"}),
        ),
        Policy(
            "st_moe",
            "ST-MoE's scores as a ranking: the best top-k, at once, into a cache",
            predictor="st_moe",
            takes=PREDICTOR_OPTIONS,
        ),
        Policy(
            "hints",
            "the trace's look-ahead hints: the best top-k, at once, into a cache",
            hints=True,
            takes=frozenset({"victim", "abort", "budget"}),
        ),
    )
}
"""Name -> policy, in the order of reports: those of every unit, which are `all`."""

MORE_POLICIES = {
    "weights": Policy(
        "weights",
        "weight tables over several sets of experts selected before: the best top-k, at once, into a cache",
        predictor="weights",
        takes=PREDICTOR_OPTIONS,
        min_score=CENTRE - 24,
        tight_min_score=CENTRE - 7,
    )
}
"""Those that need a unit generated for them.

An expert of the weights' lowest score is needed one time in ten; of that on a tight link, which is just above the score
of weights that have learnt nothing, two times in five.
"""

KNOWN_POLICIES = POLICIES | MORE_POLICIES

DEFAULT_VICTIM = "lru"
VICTIMS = {"lru": VictimPolicy.LRU, "least_stale": VictimPolicy.LEAST_STALE}
ABORTS = {"never": AbortPolicy.NEVER, "half": AbortPolicy.HALF, "always": AbortPolicy.ALWAYS}


@dataclass(frozen=True)
class PolicyOptions:
    """What a user sets apart from the policy; None is the policy's own value.

    `budget` in experts per target event, `hold_cycles` in (scaled) cycles after an event's end, `min_score` 0 to 255.
    """

    budget: int | None = None
    victim: str | None = None
    abort: str | None = None
    hold_cycles: int | None = None
    min_score: int | None = None

    def require_users(self, policies: Iterable[Policy]) -> None:
        """Raise UserError for an option that none of `policies` takes."""
        policies = list(policies)
        for option in fields(self):
            value = getattr(self, option.name)
            if value is not None and not any(option.name in policy.takes for policy in policies):
                flag = option.name.replace("_", "-")
                users = ", ".join(policy.name for policy in KNOWN_POLICIES.values() if option.name in policy.takes)
                raise UserError(f"--{flag} {value}: is of no use here: only {users} take it")

    def of(self, policy: Policy) -> "PolicyOptions":
        """Return the options that `policy` takes, the others at None."""
        return PolicyOptions(**{name: getattr(self, name) for name in policy.takes})


def parse_policies(text: str) -> list[Policy]:
    """Return the policies of a list such as `none,st_moe`, or all of `all`; raises UserError for an unknown one."""
    if text == "all":
        return list(POLICIES.values())
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in KNOWN_POLICIES:
            known = ", ".join(KNOWN_POLICIES)
            raise UserError(f"--policy {name or repr(text)}: unknown: must be all, or some of {known}")
    return [KNOWN_POLICIES[name] for name in names]


def policy_settings(
    policy: Policy, options: PolicyOptions, *, n_experts: int, top_k: int, tight: bool
) -> dict[str, int]:
    """Return the policy's register fields, all but the predictor's index and the default of `hold_cycles`.

    `tight` says whether the link is (`ReplayPlan.link_is_tight`).
    """
    options = options.of(policy)
    min_score = policy.min_score
    if tight and policy.tight_min_score is not None:
        min_score = policy.tight_min_score
    prefetches = policy.predictor is not None or policy.hints
    default_budget = (n_experts if policy.whole_set else top_k) if prefetches else 0
    settings = {
        "hints": int(policy.hints),
        "hints_first": 0,
        "budget": default_budget if options.budget is None else options.budget,
        "victim_policy": int(VICTIMS[options.victim or DEFAULT_VICTIM]),
        "abort_policy": int(ABORTS[options.abort or "never"]),
        "evict_at_event_end": int(policy.frees_at_event_end),
        "min_score": min_score if options.min_score is None else options.min_score,
        "hold_cycles": options.hold_cycles or 0,
    }
    if settings["budget"] > n_experts:
        raise UserError(f"--budget {settings['budget']}: must not exceed the layer's {n_experts} experts")
    return settings

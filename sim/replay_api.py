"""`moefetch.sim.replay`: a replay from Python, with a typed result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..hw.config import UNIT_PRESETS, UnitConfig
from ..hw.unit_file import read_unit_config
from ..traces.errors import UserError
from ..traces.format import Trace
from .any_policy import ALL_POLICIES, policy_names, unit_policies
from .design_point import DesignPoint, PointRun, run_point
from .model_spec import ModelSpec, load_model
from .planning import AUTO_SCALE, DEFAULT_UNIT, parse_scale, read_trace
from .platform_spec import PlatformSpec, load_platform
from .point_columns import Row, row_of, to_table, with_baselines
from .policies import KNOWN_POLICIES, PolicyOptions
from .replay_result import ReplayResult
from .replay_run import Run
from .simulator_names import RTL_SIMULATORS, RtlSimulator
from .sweep import PlanKey, plan_key, shared_plans
from .sweep_points import KnownTrace, known_trace, make_point
from .unit_fit import fit_unit, require_fit, with_predictors
from .workload import Workload

if TYPE_CHECKING:
    import pyarrow

    from .jobs import ReplayPlan

Engine = Literal["model", "rtl"]
ENGINES = get_args(Engine)
UNNAMED = "trace"
"""What a trace from memory is called."""


@dataclass(frozen=True)
class Replay:
    """The replays of one trace under one or more policies on one platform.

    `rows` has for each policy name -> value of every column of docs/sweep.md: what was run, figures and counters.
    """

    runs: tuple[PointRun, ...]

    @property
    def policies(self) -> list[str]:
        """The policies, in the order asked for."""
        return [run.point.policy for run in self.runs]

    @property
    def rows(self) -> list[Row]:
        """The results as plain dictionaries, one a policy."""
        return with_baselines([row_of(run) for run in self.runs])

    def __getitem__(self, policy: str) -> Row:
        """Return one policy's row; raises KeyError with the known ones."""
        return self.rows[self._place(policy)]

    def result(self, policy: str) -> ReplayResult:
        """Return what the engine counted under one policy: counters, step cycles, figures by layer and by source."""
        return self.runs[self._place(policy)].run.result

    def to_arrow(self) -> pyarrow.Table:
        """Return an Arrow table, a row a policy; each column's metadata has kind, label, unit and formula."""
        return to_table([row_of(run) for run in self.runs], {"command": "replay"})

    def _place(self, policy: str) -> int:
        if policy not in self.policies:
            raise KeyError(f"{policy}: was not replayed (known: {', '.join(self.policies)})")
        return self.policies.index(policy)


def replay(
    trace: str | Path | Trace,
    *,
    model: str | ModelSpec = "moefetch-small",
    platform: str | PlatformSpec = "lpddr5x",
    policy: str | Sequence[str] = "all",
    options: PolicyOptions | None = None,
    engine: Engine = "model",
    simulator: RtlSimulator = "verilator",
    tokens: int | None = None,
    warm_up: int = 0,
    scale: int | Literal["auto"] = AUTO_SCALE,
    batch: int = 1,
    unit: str | UnitConfig | None = None,
    experts: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Replay:
    """Replay a trace under one or more policies, on the cycle model or on the RTL.

    `trace` is a file or a trace in memory; `model`, `platform` and `unit` are presets, files or objects; a unit that is
    not given is made to fit. `policy` is a name, several, or `all` (those of every unit for which the trace has data);
    the RTL runs only policies that a unit can have. `tokens` are decode steps; the first `warm_up` of them are left out
    of all figures, on the cycle model alone. `scale` divides bytes, cycles and latency; `auto` is the largest that is
    valid. `experts` is the number in a layer, where a foreign recording does not say. `progress` is called with what is
    done and what there is in all. Raises UserError, naming the value and the rule, for what does not go together.
    """
    _require_legal(engine=engine, simulator=simulator, tokens=tokens, batch=batch, warm_up=warm_up)
    known = _known(trace, experts)
    names = policy_names(policy)
    if policy == ALL_POLICIES:
        names = [name for name in names if known.trace.hints is not None or not KNOWN_POLICIES[name].hints]
    (options or PolicyOptions()).require_users(unit_policies(names))
    fits = unit if isinstance(unit, UnitConfig) or unit is None else read_unit_config(unit)
    points = [
        make_point(
            known,
            model=load_model(model) if isinstance(model, str) else model,
            platform=load_platform(platform) if isinstance(platform, str) else platform,
            unit=with_predictors(UNIT_PRESETS[DEFAULT_UNIT], unit_policies(names)) if fits is None else fits,
            fit=fit_unit if fits is None else _as_it_is,
            policy=name,
            options=options or PolicyOptions(),
            scale=parse_scale(scale),
            tokens=tokens,
            batch=batch,
            warm_up=warm_up,
        )
        for name in names
    ]
    plans = shared_plans(points, {known.path: known})
    if engine == "rtl":
        return Replay(tuple(_on_rtl(points, plans, simulator, progress)))
    runs = []
    for place, point in enumerate(points):
        runs.append(run_point(point, plans[plan_key(point)]))
        progress(place + 1, len(points))
    return Replay(tuple(runs))


def _require_legal(*, engine: str, simulator: str, tokens: int | None, batch: int, warm_up: int) -> None:
    for name, value, least in (("tokens", tokens, 1), ("batch", batch, 1), ("warm_up", warm_up, 0)):
        if value is not None and value < least:
            raise UserError(f"{name} = {value}: must be {least} or more")
    for name, value, known in (("engine", engine, ENGINES), ("simulator", simulator, RTL_SIMULATORS)):
        if value not in known:
            raise UserError(f"{name} = {value}: must be one of {', '.join(known)}")


def _known(trace: str | Path | Trace, experts: int | None) -> KnownTrace:
    if isinstance(trace, Trace):
        return known_trace(trace, trace.meta.model or UNNAMED)
    return known_trace(read_trace(Path(trace), experts), str(trace))


def _as_it_is(unit: UnitConfig, workload: Workload) -> UnitConfig:
    require_fit(unit, workload, "given")
    return unit


def _on_rtl(
    points: Sequence[DesignPoint],
    plans: dict[PlanKey, ReplayPlan],
    simulator: RtlSimulator,
    progress: Callable[[int, int], None],
) -> list[PointRun]:
    # The RTL's engine imports Amaranth: only replays that ask for it pay.
    from .jobs import build_jobs
    from .rtl_replay import replay_on_rtl, require_simulator

    require_simulator(simulator)
    plan: Any = None
    jobs = []
    for point in points:
        if point.warm_up:
            raise UserError(f"warm_up = {point.warm_up}: must be 0 on the RTL: only the cycle model measures without")
        policies = unit_policies([point.policy])
        if not policies:
            raise UserError(f"policy {point.policy}: no unit has it: only the cycle model runs it")
        plan = plans[plan_key(point)].on(point.workload, point.unit)
        jobs += build_jobs(plan, policies, point.options)
    results = replay_on_rtl(jobs, simulator=simulator, workers=1, show=progress)
    return [
        PointRun(point, plan, Run(result, None, point.prices), 0, result.wall_seconds)
        for point, result in zip(points, results, strict=True)
    ]

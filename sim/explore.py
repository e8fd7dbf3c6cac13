"""Search for the Pareto front of time, link bytes and storage: optuna proposes, the cycle model measures.

The search space is a sweep's file. A number's values are proposed by their place in ascending order, so that
neighbours are neighbours to the sampler whatever their distance; other values are proposed as they are.

The sampler is a tree-structured Parzen estimator for several objectives (Ozaki et al., Multiobjective tree-structured
Parzen estimator, JAIR 73, 2022), as optuna has it. It is seeded anew for each batch, from the seed and the trials so
far: so a search that was stopped goes on as if it had not been.
"""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..traces.errors import UserError
from .design_point import DesignPoint
from .pareto import pareto_front
from .point_columns import Row
from .point_store import PointStore
from .policies import KNOWN_POLICIES
from .source_digest import tool_version
from .sweep import Backend, Traces
from .sweep_points import Setting, point_of, require_options_in_use
from .sweep_spec import SweepSpec

if TYPE_CHECKING:
    import optuna

OBJECTIVES = ("tpot_mean_us", "link_bytes_per_token", "storage_bits")
"""Columns that are to be small."""
STUDY_FILE = "study.db"
STUDY = "moefetch"
ASKED = "asked"
"""Attribute of the study: what it was begun with."""
REFUSED = "refused"
"""Attribute of a trial whose values do not go together: the rule that they break."""
POINT = "point"
"""Attribute of a trial: its point's digest."""


def require_units(spec: SweepSpec) -> None:
    """Raise UserError for a policy that no unit has: its tables have no size."""
    for name in spec.parameters["policy"]:
        if name not in KNOWN_POLICIES:
            raise UserError(f"policy {name}: no unit has it: must be one of {', '.join(KNOWN_POLICIES)}")
    require_options_in_use(spec)
    if not spec.varied:
        raise UserError("nothing to search: no parameter has more than one value")


class Search:
    """A search in a folder, which may have been begun before with the same file and seed.

    Raises UserError if it was begun with another space, seed, recording or version of moefetch.
    """

    def __init__(self, spec: SweepSpec, traces: Traces, store: PointStore, folder: Path, seed: int) -> None:
        self._spec, self._traces, self._store, self._seed = spec, traces, store, seed
        self._space = {name: _choices(values) for name, values in spec.varied.items()}
        self._study = _open_study(folder)
        content = {path: known.content for path, known in traces.items()}
        asked = {"seed": seed, "parameters": spec.parameters, "content": content, "tool": tool_version()}
        _require_same(self._study, asked, folder)
        for trial in self._study.get_trials(deepcopy=False):
            if not trial.state.is_finished():  # it ran when the search was stopped, and is proposed again
                self._study.tell(trial.number, state=_failed())

    @property
    def trials(self) -> "list[optuna.trial.FrozenTrial]":
        """The trials that came to a result or were refused; those that a stop cut off are none."""
        found = self._study.get_trials(deepcopy=False)
        return [trial for trial in found if trial.values or REFUSED in trial.user_attrs]

    def run(self, trials: int, batch: int, backend: Backend, show: Callable[[int, int], None]) -> int:
        """Search until there are `trials`, `batch` at a time; return how many points were replayed.

        `show` is called with the trials done and asked for.
        """
        replayed = 0
        show(len(self.trials), trials)
        while (done := len(self.trials)) < trials:
            replayed += self._batch(min(batch, trials - done), done, backend)
            show(len(self.trials), trials)
        return replayed

    def results(self) -> tuple[list[Row], list[int]]:
        """Return the distinct points in the order in which they were proposed, and the places of the front."""
        digests = dict.fromkeys(t.user_attrs[POINT] for t in self.trials if POINT in t.user_attrs)
        rows = self._store.rows(digests)
        return rows, pareto_front([[row[name] for name in OBJECTIVES] for row in rows])

    def refused(self) -> list[str]:
        """Return why trials had no result, each reason once."""
        return list(dict.fromkeys(t.user_attrs[REFUSED] for t in self.trials if REFUSED in t.user_attrs))

    def _batch(self, size: int, done: int, backend: Backend) -> int:
        self._study.sampler = _sampler(self._seed, done)
        asked = [self._study.ask() for _ in range(size)]
        points = [self._point(trial) for trial in asked]
        wanted = {point.digest: point for point in points if isinstance(point, DesignPoint)}
        missing = [point for digest, point in wanted.items() if digest not in self._store]
        if missing:
            with closing(backend(missing, self._traces)) as rows:
                for row in rows:
                    self._store.add(row)
        for trial, point in zip(asked, points, strict=True):
            self._tell(trial, point)
        return len(missing)

    def _point(self, trial: "optuna.Trial") -> DesignPoint | UserError:
        """Return the point that a trial proposes, or why its values do not go together."""
        setting: Setting = {name: values[0] for name, values in self._spec.parameters.items()}
        setting |= {name: choices.propose(trial, name) for name, choices in self._space.items()}
        try:
            return point_of(setting, self._traces)
        except UserError as error:
            return error

    def _tell(self, trial: "optuna.Trial", point: DesignPoint | UserError) -> None:
        if isinstance(point, UserError):
            trial.set_user_attr(REFUSED, str(point))
            self._study.tell(trial, state=_failed())
            return
        row = self._store.row(point.digest)
        trial.set_user_attr(POINT, point.digest)
        self._study.tell(trial, [float(row[name]) for name in OBJECTIVES])


class _Choices(NamedTuple):
    """The values of a parameter: by their place where they are numbers, else by a text each."""

    values: list[Any]
    ordered: bool

    def propose(self, trial: "optuna.Trial", name: str) -> Any:
        """Return the value that the sampler proposes."""
        if self.ordered:
            return self.values[trial.suggest_int(name, 0, len(self.values) - 1)]
        texts = [json.dumps(value) for value in self.values]
        return self.values[texts.index(trial.suggest_categorical(name, texts))]


def _choices(values: list[Any]) -> _Choices:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return _Choices(sorted(set(values)), True)
    return _Choices(values, False)


def _open_study(folder: Path) -> "optuna.Study":
    optuna = _optuna()
    return optuna.create_study(
        storage=f"sqlite:///{(folder / STUDY_FILE).resolve()}",
        study_name=STUDY,
        directions=["minimize"] * len(OBJECTIVES),
        load_if_exists=True,
    )


def _require_same(study: "optuna.Study", asked: dict[str, Any], folder: Path) -> None:
    found = study.user_attrs.get(ASKED)
    text = json.dumps(asked, sort_keys=True)
    if found is None:
        study.set_user_attr(ASKED, text)
    elif found != text:
        raise UserError(
            f"{folder}: holds a search of another file, seed, recording or version: choose another folder, or remove it"
        )


def _sampler(seed: int, done: int) -> "optuna.samplers.BaseSampler":
    """Return the sampler of the batch after `done` trials."""
    mixed = int(np.random.SeedSequence([seed, done]).generate_state(1)[0])
    return _optuna().samplers.TPESampler(seed=mixed)


def _failed() -> "optuna.trial.TrialState":
    return _optuna().trial.TrialState.FAIL


def _optuna() -> Any:
    """Return optuna, quiet; it takes a second to import, and only searches pay."""
    try:
        import optuna
    except ImportError:
        raise UserError("optuna is not installed: pip install 'moefetch[explore]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna

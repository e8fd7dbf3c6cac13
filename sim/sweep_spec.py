"""The file of a sweep: every parameter is a value, a list of values, or a range."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..hw.spec_file import read_spec_file
from .any_policy import known_policies
from .point_columns import SPECS, parameters_of
from .policies import ABORTS, VICTIMS

MOST_POINTS = 1_000_000
BASES = {"model": "moefetch-small", "platform": "lpddr5x", "unit": "default"}
"""The preset that a part starts from unless its `base` names another, or a file."""
TOP = ("trace", "policy", "scale", "tokens", "batch", "warm_up")

Number = Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True, allow_inf_nan=False)]


class Range(BaseModel):
    """Numbers from `from` to `to`, `to` included where it is met: by `step`, or each `factor` times the one before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    begin: Number = Field(alias="from")
    to: Number
    step: Number | None = None
    factor: Number | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.step is None) == (self.factor is None):
            raise ValueError("must have one of step and factor")
        if self.to < self.begin:
            raise ValueError(f"to = {self.to}: must not be below from = {self.begin}")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"step = {self.step}: must be above 0")
        if self.factor is not None and (self.factor <= 1 or self.begin <= 0):
            raise ValueError(f"factor = {self.factor}: must be above 1, and from = {self.begin} above 0")
        if self.count > MOST_POINTS:
            raise ValueError(f"{self.count} values: must not exceed {MOST_POINTS}")
        return self

    @property
    def count(self) -> int:
        """How many numbers there are."""
        begin, end = Fraction(str(self.begin)), Fraction(str(self.to))
        if self.step is not None:
            return int((end - begin) / Fraction(str(self.step))) + 1
        return int(math.log(end / begin, Fraction(str(self.factor))) + 1e-9) + 1

    def values(self) -> list[int | float]:
        """Return the numbers, whole ones as such; exact, as decimal fractions."""
        begin, change = Fraction(str(self.begin)), Fraction(str(self.factor if self.step is None else self.step))
        places = range(self.count)
        found = [begin + change * n for n in places] if self.factor is None else [begin * change**n for n in places]
        whole = isinstance(self.begin, int) and change.denominator == 1
        return [int(value) if whole else float(value) for value in found]


Given = Any
"""A value, a list of values or a table that makes a `Range`."""


class SweepSpec(BaseModel):
    """What a sweep file says; errors name field, value and rule. `parameters` has every parameter's values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trace: Given
    policy: Given = "st_moe"
    scale: Given = "auto"
    tokens: Given = None
    batch: Given = 1
    warm_up: Given = None
    options: dict[str, Given] = {}
    model: dict[str, Given] = {}
    platform: dict[str, Given] = {}
    unit: dict[str, Given] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, values in self.parameters.items():
            for value in values:
                _check_value(name, value)
        if self.size > MOST_POINTS:
            sizes = " x ".join(str(len(values)) for values in self.parameters.values() if len(values) > 1)
            raise ValueError(f"{sizes} = {self.size} points: must not exceed {MOST_POINTS}")
        return self

    @property
    def parameters(self) -> dict[str, list[Any]]:
        """Dotted name -> values, of the parameters that are given."""
        found = {name: getattr(self, name) for name in TOP if getattr(self, name) is not None}
        found |= {f"options.{name}": value for name, value in self.options.items()}
        for part, base in BASES.items():
            found |= {f"{part}.base": base} | _flat(getattr(self, part), part)
        return {name: _values(name, value) for name, value in found.items()}

    @property
    def varied(self) -> dict[str, list[Any]]:
        """The parameters with more than one value."""
        return {name: values for name, values in self.parameters.items() if len(values) > 1}

    @property
    def size(self) -> int:
        """Combinations of all values."""
        return math.prod(len(values) for values in self.parameters.values())

    def settings(self) -> Iterator[dict[str, Any]]:
        """Yield name -> value of every combination; the last parameter changes fastest."""
        names, values = zip(*self.parameters.items(), strict=True)
        for chosen in itertools.product(*values):
            yield dict(zip(names, chosen, strict=True))


def read_sweep_spec(path: Path) -> SweepSpec:
    """Read a sweep file; raises UserError in one line."""
    return read_spec_file(path, SweepSpec)


def _flat(given: dict[str, Given], prefix: str) -> dict[str, Given]:
    """Return dotted name -> what is given, of a table and those below it."""
    part = prefix.partition(".")[0]
    known = {f"{part}.base", *parameters_of(SPECS[part], part)}
    found = {}
    for name, value in given.items():
        full = f"{prefix}.{name}"
        if isinstance(value, dict) and any(other.startswith(f"{full}.") for other in known):
            found |= _flat(value, full)
        elif full in known:
            found[full] = value
        else:
            raise ValueError(f"{full}: no such parameter (known: {', '.join(sorted(known))})")
    return found


def _values(name: str, given: Given) -> list[Any]:
    if isinstance(given, dict):
        try:
            return list(Range.model_validate(given).values())
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = "".join(f".{part}" for part in first["loc"] if isinstance(part, str) and part in given)
            raise ValueError(f"{name}{place} = {given}: {first['msg'].removeprefix('Value error, ')}") from error
    found = given if isinstance(given, list) else [given]
    if not found:
        raise ValueError(f"{name} = []: must have a value")
    return found


def _check_value(name: str, value: Any) -> None:
    """Raise ValueError for a value that is wrong by itself; what depends on others is found when points are made."""
    if name.startswith(tuple(f"{part}." for part in SPECS)) and not name.endswith(".base"):
        return
    if name not in _RULES:
        raise ValueError(f"{name}: no such parameter (known: {', '.join(_RULES)})")
    rule, holds = _RULES[name]
    if not holds(value):
        raise ValueError(f"{name} = {value!r}: {rule}")


def _whole(low: int, high: float = math.inf) -> tuple[str, Callable[[Any], bool]]:
    text = f"must be a whole number, {low} or more" if high == math.inf else f"must be a whole number, {low} to {high}"
    return text, lambda value: type(value) is int and low <= value <= high


def _one_of(names: Iterable[str]) -> tuple[str, Callable[[Any], bool]]:
    known = list(names)
    return f"must be one of {', '.join(known)}", lambda value: value in known


_TEXT = ("must be text", lambda value: isinstance(value, str) and bool(value))
_RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "trace": _TEXT,
    "policy": _one_of(known_policies()),
    "scale": ("must be auto, or a whole number from 1 on", lambda v: v == "auto" or (type(v) is int and v >= 1)),
    "tokens": _whole(1),
    "batch": _whole(1),
    "warm_up": _whole(0),
    "options.budget": _whole(0),
    "options.victim": _one_of(VICTIMS),
    "options.abort": _one_of(ABORTS),
    "options.hold_cycles": _whole(0),
    "options.min_score": _whole(0, 255),
    **{f"{part}.base": _TEXT for part in BASES},
}

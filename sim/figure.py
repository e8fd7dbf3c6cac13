"""What a derived figure is: its name, formula, unit and label, and how it follows from a run."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from .replay_run import Run

Label = Literal["measured", "simulated", "modelled"]
LABELS: dict[Label, str] = {
    "measured": "taken on this machine, or from the recorded trace",
    "simulated": "counted by the engine, cycle by cycle",
    "modelled": "computed from a model, or from simulated figures and the presets' assumptions",
}


class Figure(NamedTuple):
    """One derived figure; `of` returns None where it has no value (nothing was counted, or nothing to compare with)."""

    name: str
    formula: str
    unit: str
    label: Label
    of: Callable[[Run], float | int | None]

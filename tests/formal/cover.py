"""Covers: what runs from reset come to, so that a proof's assumptions do not exclude what it speaks of."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .engine import WORK, Proof, make_model, unroll


class Reached(NamedTuple):
    """What came out of the search for a cover's states."""

    seconds: float
    steps: dict[str, int | None]
    """Name of a state -> first cycle from reset in which it holds; None if there is none within the depth."""


@dataclass(frozen=True)
class Cover:
    """States that a run from reset comes to under all that a proof assumes."""

    proof: Proof
    depth: int
    """Cycles from reset within which each must be reached."""
    states: Callable
    """Of module, harness and probe: condition by name, each a word without spaces."""

    @property
    def name(self) -> str:
        """The proof's."""
        return self.proof.name

    def reach(self, work: Path = WORK, solver: str = "yices") -> Reached:
        """Search for the states; the proof's assertions are neither checked nor assumed."""
        started = time.monotonic()
        folder = work / f"{self.name}-cover"
        steps: dict[str, int | None] = {}
        harness = self.proof.harness()
        harness.strengthened, harness.states = False, self._states_into(steps)
        make_model(harness, folder)
        log = unroll(folder, "cover", self.depth, solver)
        steps |= {name: int(step) for step, name in re.findall(r"Reached .* in step (\d+) at top: (.*):0", log)}
        return Reached(time.monotonic() - started, steps)

    def _states_into(self, steps: dict[str, int | None]) -> Callable:
        """Return `states`, noting each name as not reached yet: one that the tools optimise away stays so."""

        def noted(m, harness, probe):
            conditions = self.states(m, harness, probe)
            steps.update(dict.fromkeys(conditions))
            return conditions

        return noted

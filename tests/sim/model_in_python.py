"""The cycle model as plain Python under `measure_on_model`, and comparisons of the toy trace on it."""

import sys

import pytest
from moefetch.sim.compare import Comparison, comparison_jobs
from moefetch.sim.cycle_model.observe import observe
from moefetch.sim.measured_run import Measure, measure_on_model

from .cycle_model.interpreted import PACKAGE, interpreted

NAMES = ("engine", "machine", "simulate", "trains")
MODULES = interpreted(*NAMES)
RUN = MODULES[0].run_model


def observed(job, events):
    """Return `observe` of a job."""
    with pytest.MonkeyPatch.context() as patch:
        for name, module in zip(NAMES, MODULES, strict=True):
            patch.setitem(sys.modules, f"{PACKAGE}.{name}", module)
        return observe(job, events)


def measured(job, measure):
    """Return `measure_on_model` of a job."""
    with pytest.MonkeyPatch.context() as patch:
        for name, module in zip(NAMES, MODULES, strict=True):
            patch.setitem(sys.modules, f"{PACKAGE}.{name}", module)
        return measure_on_model(job, measure)


def comparison_of(plan, warm_up=2, only=None):
    """Return the comparison of a plan's jobs, of `only` some policies if given."""
    measure = Measure.of(plan.events, plan.workload, warm_up)
    jobs = [job for job in comparison_jobs(plan, lambda _: None) if only is None or job.policy in only]
    return Comparison(plan, [measured(job, measure) for job in jobs])

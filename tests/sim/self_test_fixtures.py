"""A self-test of a few events on the `tiny` unit, small enough for any simulator."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from moefetch.cli.model_engine import replay_on_model
from moefetch.cli.replay import make_plan
from moefetch.hw.config import UNIT_PRESETS
from moefetch.sim.jobs import build_jobs
from moefetch.sim.policies import PolicyOptions, parse_policies
from moefetch.sim.self_test import self_test_data

from .replay_fixtures import toy_trace, write_specs

UNIT = UNIT_PRESETS["tiny"].replace(predictors=("st_moe",), slot_bytes=128)


@cache
def tiny_test(tokens=2):
    """Return the self-test of two steps of three events, and the job that it is of."""
    with TemporaryDirectory() as name:
        model, platform = write_specs(Path(name))
        model.write_text(model.read_text().replace("expert_bytes = 2048", "expert_bytes = 128"))
        trace = toy_trace(tokens=tokens, sequences=1)
        plan = make_plan(
            Path("toy.parquet"), trace, model=str(model), platform=str(platform), policy="st_moe", scale="1",
            unit="tiny",
        )  # fmt: skip
    job = build_jobs(plan.on(plan.workload, UNIT), parse_policies("st_moe"), PolicyOptions())[0]
    (result,) = replay_on_model([job], show=lambda done, total: None)
    return self_test_data(job, result), job, result

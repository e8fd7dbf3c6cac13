"""Do replays of units that have their tables in memory agree with the golden model, record by record?"""

import os

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.emit import emit_verilog
from moefetch.hw.replay_harness import ReplayHarness
from moefetch.sim.jobs import ReplayPlan, build_jobs
from moefetch.sim.model_spec import load_model
from moefetch.sim.platform_spec import load_platform
from moefetch.sim.policies import KNOWN_POLICIES, PolicyOptions
from moefetch.sim.rtl_engine import run_rtl
from moefetch.sim.simulator import missing_tools
from moefetch.sim.workload import derive

from .replay_fixtures import toy_trace, write_specs

QUICK = "MOEFETCH_SLOW" not in os.environ
UNIT = UNIT_PRESETS["tiny"].replace(slot_bytes=2048)

pytestmark = pytest.mark.skipif(bool(missing_tools("verilator")), reason="Verilator's build needs g++, make and perl")


@pytest.mark.parametrize(
    ("policy", "changes", "layers"),
    [
        pytest.param(
            "st_moe", {"table_window": 3}, 4, marks=pytest.mark.skipif(QUICK, reason="half a minute: set MOEFETCH_SLOW")
        ),
        ("weights", {"weight_ways": 2, "weight_sources": ((1, 0), (0, 1)), "weight_lanes": 8}, 3),
    ],
)
def test_a_unit_with_its_tables_in_memory_replays_as_the_golden_model(policy, changes, layers, tmp_path):
    """The profile goes through the registers to the tables in memory; without a predictor these are left alone."""
    model, platform = write_specs(tmp_path)
    model.write_text(model.read_text().replace("n_layers = 3", f"n_layers = {layers}"))
    workload = derive(load_model(str(model)), load_platform(str(platform)), 1)
    unit = UNIT.replace(predictors=(policy,), **changes)
    plan = ReplayPlan(tmp_path / "toy.parquet", toy_trace(layers=layers, hints=False), workload, unit, 12, 1)
    jobs = build_jobs(plan, [KNOWN_POLICIES["none"], KNOWN_POLICIES[policy]], PolicyOptions())
    gated = unit.replace(clock_gating=True)
    verilog = emit_verilog(ReplayHarness(config=gated), name="replay_harness", config=unit, out_dir=tmp_path)
    places = {"build_root": tmp_path / "builds", "verilog": verilog}
    none, paged = (run_rtl(job, simulator="native", work_dir=tmp_path / job.policy, **places) for job in jobs)
    counters = paged.counters
    assert counters["issued"] and not none.counters["table_loads"]
    assert counters["table_loads"] == counters["table_late"] + counters["table_ahead"]
    assert counters["table_late"] and counters["table_ahead"] and counters["table_written_beats"]
    assert counters["table_read_beats"] % counters["table_loads"] == 0 and not counters["table_errors"]

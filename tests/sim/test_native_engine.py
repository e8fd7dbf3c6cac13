"""Does the native run give what cocotb gives, and does a gated clock change no cycle?"""

import os
from dataclasses import replace

import pytest
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.emit import emit_verilog
from moefetch.hw.replay_harness import ReplayHarness
from moefetch.sim import native_engine, rtl_engine
from moefetch.sim.jobs import ReplayPlan, build_jobs
from moefetch.sim.model_spec import load_model
from moefetch.sim.native_build import build_native
from moefetch.sim.native_engine import follow_native
from moefetch.sim.platform_spec import load_platform
from moefetch.sim.policies import POLICIES, PolicyOptions
from moefetch.sim.replay_image import write_image
from moefetch.sim.replay_program import programming
from moefetch.sim.rtl_engine import BENCH, TOP, bench_parameters, run_rtl
from moefetch.sim.simulator import SimulationError, missing_tools
from moefetch.sim.workload import derive

from .replay_fixtures import toy_trace, write_specs

UNIT = UNIT_PRESETS["tiny"].replace(slot_bytes=2048)

pytestmark = pytest.mark.skipif(bool(missing_tools("verilator")), reason="Verilator's build needs g++, make and perl")


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    model, platform = write_specs(tmp_path_factory.mktemp("specs"))
    workload = derive(load_model(str(model)), load_platform(str(platform)), 1)
    plan = ReplayPlan(model.with_name("toy.parquet"), toy_trace(), workload, UNIT, 12, 1)
    return build_jobs(plan, [POLICIES["st_moe_paper"], POLICIES["hints"]], PolicyOptions())


@pytest.fixture(scope="module")
def harnesses(tmp_path_factory):
    """Two harnesses, with the clock gated and without."""

    def emit(unit):
        out = tmp_path_factory.mktemp("harness")
        return emit_verilog(ReplayHarness(config=unit), name="replay_harness", config=unit, out_dir=out)

    return emit(UNIT.replace(clock_gating=True)), emit(UNIT)


def test_native_and_gated_are_cocotb_and_ungated(jobs, harnesses, tmp_path):
    gated, ungated = harnesses
    for job in jobs:
        runs = [
            run_rtl(job, simulator=simulator, build_root=tmp_path / "builds", work_dir=tmp_path / name, verilog=verilog)
            for name, simulator, verilog in (("native", "native", gated), ("cocotb", "verilator", ungated))
        ]
        native, cocotb = runs
        assert native.counters == cocotb.counters
        assert native.cycles == cocotb.cycles
        assert native.step_cycles == cocotb.step_cycles
        assert native.records == cocotb.records
        assert native.statistics == cocotb.statistics
        assert (tmp_path / "native" / "commits.log").read_text() == (tmp_path / "cocotb" / "commits.log").read_text()


@pytest.mark.skipif(not os.environ.get("MOEFETCH_SLOW"), reason="two more builds: set MOEFETCH_SLOW=1")
def test_a_program_compiled_for_a_profile_is_the_same(jobs, harnesses, tmp_path, monkeypatch):
    logs = []
    for least in (1, len(jobs[0].events) + 1):
        monkeypatch.setattr(rtl_engine, "TRAINED_FROM", least)
        work = tmp_path / str(least)
        run_rtl(jobs[0], simulator="native", build_root=tmp_path / "builds", work_dir=work, verilog=harnesses[0])
        logs.append((work / "commits.log").read_text())
    assert logs[0] == logs[1]
    assert len(list((tmp_path / "builds").glob("*/*.gcda"))) > 0


def test_a_difference_is_a_mismatch_and_a_broken_program_an_error(jobs, harnesses, tmp_path):
    wrong = replace(jobs[1], settings=jobs[1].settings | {"budget": jobs[1].settings["budget"] - 1})
    program = build_native(
        [harnesses[0], BENCH], top=TOP, cache_dir=tmp_path / "builds", parameters=bench_parameters(UNIT)
    )
    write_image(wrong.events, image := tmp_path / "trace.hex")
    # The unit is told of one budget, the golden model of another.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_engine, "programming", lambda job: programming(jobs[1]))
        answer = follow_native(program, wrong, image=image, log=tmp_path / "commits.log")
    assert "event " in answer.mismatch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_engine, "programming", lambda job: [(1 << 11, 0)])
        with pytest.raises(SimulationError, match="register write to offset 2048 was refused"):
            follow_native(program, wrong, image=image, log=tmp_path / "commits.log")

"""Does `moefetch.sim.replay` give what the commands give, typed, from presets, files or objects?"""

import subprocess
import sys

import pyarrow as pa
import pytest
from moefetch.hw import UnitConfig
from moefetch.sim import PolicyOptions, Replay, replay
from moefetch.sim.model_spec import load_model
from moefetch.sim.platform_spec import load_platform
from moefetch.sim.point_columns import columns
from moefetch.sim.replay_result import ReplayResult
from moefetch.traces.errors import UserError

from .model_in_python import measured
from .replay_fixtures import fake_run_rtl, toy_trace, write_specs, write_toy_trace
from .sweep_fixtures import MEASURE, points_in, write_sweep


@pytest.fixture(autouse=True)
def engine(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MEASURE, measured)


@pytest.fixture
def toy(tmp_path):
    """Return what is common: the toy model and platform."""
    model, platform = write_specs(tmp_path)
    return {"model": str(model), "platform": str(platform), "scale": 1}


def test_the_result_is_typed_and_has_every_policy(tmp_path, toy):
    found = replay(write_toy_trace(tmp_path / "toy.parquet"), policy=["none", "st_moe", "oracle"], tokens=9, **toy)
    assert isinstance(found, Replay) and found.policies == ["none", "st_moe", "oracle"]
    result = found.result("st_moe")
    assert isinstance(result, ReplayResult) and len(result.step_cycles) == found["st_moe"]["steps"] == 9
    assert found["st_moe"]["tpot_mean"] == result.cycles / 9
    assert found["none"]["speed_up"] == 1
    assert found["oracle"]["speed_up"] == found["none"]["tpot_mean"] / found["oracle"]["tpot_mean"] > 1
    with pytest.raises(KeyError, match="hints: was not replayed"):
        found["hints"]


def test_the_arrow_table_says_what_its_columns_are(toy):
    table = replay(toy_trace(), policy="none,st_moe", **toy).to_arrow()
    assert isinstance(table, pa.Table) and table.num_rows == 2
    assert table.column_names == list(columns())
    assert table.schema.field("tpot_mean").metadata[b"formula"] == b"cycles / steps"
    assert table.schema.field("tpot_mean").metadata[b"label"] == b"modelled"
    assert b'"command": "replay"' in table.schema.metadata[b"moefetch_results"]


def test_paths_and_objects_are_the_same_points_as_in_a_sweep(tmp_path, toy):
    _, _, points = points_in(write_sweep(tmp_path, "warm_up = 1"))
    arguments = {
        "platform": load_platform(toy["platform"]).model_copy(update={"slots": 6}),
        "policy": ["none", "st_moe"], "scale": 1, "warm_up": 1,
    }  # fmt: skip
    by_name = replay(tmp_path / "toy.parquet", model=toy["model"], **arguments)
    by_object = replay(toy_trace(tokens=12, sequences=3), model=load_model(toy["model"]), **arguments)
    found = [row["point"] for row in by_name.rows]
    assert found == [row["point"] for row in by_object.rows] == [p.digest for p in points if p.slots == 6]
    assert by_name["none"]["steps"] == 11


def test_all_leaves_out_what_the_trace_has_no_data_for(toy):
    assert replay(toy_trace(), **toy).policies == ["none", "st_moe_paper", "st_moe", "hints"]
    assert replay(toy_trace(hints=False), **toy).policies == ["none", "st_moe_paper", "st_moe"]
    with pytest.raises(UserError, match="has no hints"):
        replay(toy_trace(hints=False), policy="hints", **toy)


def test_options_and_units_are_used(toy):
    free = replay(toy_trace(), policy="st_moe", **toy)
    tight = replay(toy_trace(), policy="st_moe", options=PolicyOptions(budget=1), **toy)
    assert tight["st_moe"]["options.budget"] == 1
    assert tight["st_moe"]["counter.over_budget"] > free["st_moe"]["counter.over_budget"]
    unit = UnitConfig(bus_bytes=4, n_pe=2, slots=4, banks=2, scan_lanes=2)
    assert replay(toy_trace(), policy="none", unit=unit, **toy)["none"]["slots"] == 4
    assert replay(toy_trace(), policy="none", batch=4, **toy)["none"]["tokens"] == 40


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"policy": "lucky"}, "policy 'lucky': unknown"),
        ({"policy": "oracle", "options": PolicyOptions(budget=2)}, "is of no use here"),
        ({"warm_up": 40}, "warm-up 40: must be below the 40 decode steps"),
        ({"scale": 0}, "must be auto, or a whole number from 1 on"),
        ({"unit": "tiny"}, "unit given: "),
        ({"model": "olmoe"}, "3 layers: must be 16"),
        ({"engine": "rtl", "policy": "oracle"}, "policy oracle: no unit has it"),
        ({"engine": "rtl", "policy": "none", "warm_up": 1}, "warm_up = 1: must be 0 on the RTL"),
    ],
)
def test_what_does_not_go_together_is_one_line(toy, monkeypatch, changes, said):
    monkeypatch.setattr("moefetch.sim.rtl_replay.missing_tools", lambda _: [])
    with pytest.raises(UserError) as error:
        replay(toy_trace(), **{**toy, "policy": "none", **changes})
    assert said in str(error.value)


def test_the_rtl_replays_as_the_command_does(tmp_path, toy, monkeypatch):
    def emitted(unit):
        path = tmp_path / f"{unit.digest}.v"
        path.write_text(unit.digest)
        return path

    monkeypatch.setattr("moefetch.sim.rtl_replay.emit_harness", emitted)
    monkeypatch.setattr("moefetch.sim.rtl_replay.missing_tools", lambda _: [])
    monkeypatch.setattr("moefetch.sim.rtl_engine.run_rtl", fake_run_rtl)
    found = replay(toy_trace(), policy=["none", "st_moe"], engine="rtl", **toy)
    assert found["none"]["engine"] == "rtl, verilator"
    assert found.to_arrow().schema.field("tpot_mean").metadata[b"label"] == b"simulated"
    assert found["st_moe"]["speed_up"] > 1


def test_a_replay_on_the_model_imports_no_amaranth(tmp_path):
    write_toy_trace(tmp_path / "toy.parquet", tokens=12, sequences=3)
    write_specs(tmp_path)
    program = (
        "import sys, moefetch.sim\n"
        "from moefetch.sim import design_point, replay\n"
        "def stop(*_): raise InterruptedError\n"
        "design_point.measure_on_model = stop\n"
        "try: replay('toy.parquet', model='./toy.toml', platform='./bench.toml')\n"
        "except InterruptedError: pass\n"
        "else: raise SystemExit('was not reached')\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] in ('amaranth', 'cocotb')]\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tokens": 0}, "tokens = 0: must be 1 or more"),
        ({"batch": 0}, "batch = 0: must be 1 or more"),
        ({"warm_up": -3}, "warm_up = -3: must be 0 or more"),
        ({"engine": "RTL"}, "engine = RTL: must be one of model, rtl"),
        ({"simulator": "vcs"}, "simulator = vcs: must be one of verilator, icarus, native"),
    ],
)
def test_illegal_arguments_are_named(wrong, message):
    with pytest.raises(UserError, match=message):
        replay("not looked at", **wrong)

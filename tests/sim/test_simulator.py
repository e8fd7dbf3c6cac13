"""Does a build happen once, also for two processes, and does a run tell what passed and what did not?"""

import multiprocessing
import shutil
from pathlib import Path

import pytest
from moefetch.sim import simulator
from moefetch.sim.simulator import SimulationError, build, missing_tools, port_names, run
from moefetch.traces.errors import UserError

HERE = Path(__file__).parent
COUNTER = """
module counter #(parameter STEP = (1 + 0)) (input clk, input rst, output reg [31:0] count);
    always @(posedge clk) if (rst) count <= 0; else count <= count + STEP;
endmodule
"""


def needs(name):
    if name == "icarus" and shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed (apt install iverilog)")


@pytest.fixture
def counter(tmp_path):
    path = tmp_path / "counter.v"
    path.write_text(COUNTER)
    return path


@pytest.mark.parametrize("name", ["verilator", "icarus"])
def test_run_tells_what_passed(name, counter, tmp_path):
    needs(name)
    built = build([counter], top="counter", cache_dir=tmp_path / "cache", sim=name, parameters={"STEP": 3})
    result = run(built, "simulator_probe", run_dir=tmp_path / "run", import_dir=HERE, env={"PROBE_STEP": "3"})
    assert [(case.name, case.passed) for case in result.cases] == [("counts", True), ("fails", False)]
    assert [case.name for case in result.failures] == ["fails"]
    assert "on purpose" in result.failures[0].message
    assert result.cases[0].sim_time_ns == pytest.approx(10_030, abs=20)
    assert result.cycles_per_second(10) > 0
    assert "counts" in result.log.read_text()
    only = run(
        built, "simulator_probe", run_dir=tmp_path / "run", import_dir=HERE, env={"PROBE_STEP": "3"}, cases=["counts"]
    )
    assert [case.name for case in only.cases if case.passed] == ["counts"]
    assert not only.failures


def _build_and_note(counter, cache, answers):
    answers.put(build([counter], top="counter", cache_dir=cache, sim="icarus").folder)


def test_two_processes_share_one_build(counter, tmp_path, monkeypatch):
    needs("icarus")
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    cache = tmp_path / "cache"
    workers = [context.Process(target=_build_and_note, args=(counter, cache, answers)) for _ in range(2)]
    for worker in workers:
        worker.start()
    folders = {answers.get(timeout=120) for _ in workers}
    for worker in workers:
        worker.join()
    assert len(folders) == 1
    assert sorted(path.name for path in cache.iterdir() if path.is_dir()) == [folders.pop().name]

    def refuse(*arguments):
        raise AssertionError("built again")

    monkeypatch.setattr(simulator, "_compile_into", refuse)
    build([counter], top="counter", cache_dir=cache, sim="icarus")
    counter.write_text(COUNTER + "\n")
    with pytest.raises(AssertionError, match="built again"):
        build([counter], top="counter", cache_dir=cache, sim="icarus")


@pytest.mark.parametrize("name", ["verilator", "icarus"])
def test_verilog_that_does_not_compile_leaves_no_build(name, tmp_path):
    needs(name)
    bad = tmp_path / "bad.v"
    bad.write_text("module bad(input clk); assign = 1; endmodule\n")
    cache = tmp_path / "cache"
    for _ in range(2):
        with pytest.raises(SimulationError, match=rf"{name} cannot build bad, see .*\.log: \S"):
            build([bad], top="bad", cache_dir=cache, sim=name)
    assert not [path for path in cache.iterdir() if path.is_dir()]


def test_a_module_that_cannot_be_imported_is_an_error(counter, tmp_path):
    needs("icarus")
    built = build([counter], top="counter", cache_dir=tmp_path / "cache", sim="icarus")
    with pytest.raises(SimulationError, match=r"no_such_module\.log"):
        run(built, "no_such_module", run_dir=tmp_path / "run")


def test_mistakes_of_the_user_give_one_line(counter, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="simulator spice: must be one of verilator, icarus"):
        build([counter], top="counter", cache_dir=tmp_path, sim="spice")
    if not missing_tools("verilator"):
        with pytest.raises(UserError, match=r"gone\.v: no such Verilog file"):
            build([tmp_path / "gone.v"], top="counter", cache_dir=tmp_path)
        with pytest.raises(UserError, match="cannot be written, builds are kept there"):
            build([counter], top="counter", cache_dir=counter / "inside")
    monkeypatch.setattr(simulator.shutil, "which", lambda tool: None)
    assert missing_tools("icarus")[0] == "iverilog was not found, icarus needs it: apt install iverilog"
    with pytest.raises(UserError, match=r"g\+\+ was not found, verilator needs it: apt install g\+\+"):
        build([counter], top="counter", cache_dir=tmp_path)


def test_port_names_of_both_header_styles():
    assert port_names(COUNTER, "counter") == ["clk", "rst", "count"]
    text = (
        "module a(x); input x; endmodule // module b(\nmodule \tb (clk, /* c, */ q);\n input clk; output q; endmodule"
    )
    assert port_names(text, "b") == ["clk", "q"]
    assert port_names(text, "a") == ["x"]
    assert port_names("module c; endmodule", "c") == []
    with pytest.raises(SimulationError, match="module d is in none of the Verilog files"):
        port_names(text, "d")

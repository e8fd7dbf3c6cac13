"""Does `moefetch bench area` say in one line that a tool failed, and keep what the tool said?"""

from moefetch.cli.main import app
from moefetch.hw import area
from moefetch.hw.synthesis import ToolError
from typer.testing import CliRunner


def run(out):
    return CliRunner().invoke(app, ["bench", "area", "--config", "tiny", "--out", str(out)])


def failing_tool(config, folder, say, *, seeds):
    log = folder / "moefetch_unit.1.nextpnr.log"
    log.write_text("ERROR: no room\n")
    raise ToolError("nextpnr_ecp5 failed with status 255", log, "ERROR: no room")


def failing_emission(config, folder, say, *, seeds):
    raise RuntimeError("yosys failed with status 1: ERROR: syntax")


def test_a_failed_tool_is_one_line_that_names_a_log_which_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(area, "measure_area", failing_tool)
    result = run(tmp_path / "tiny.json")
    kept = tmp_path / "tiny-moefetch_unit.1.nextpnr.log"
    assert result.exit_code == 2
    assert result.stderr == f"error: nextpnr_ecp5 failed with status 255, see {kept}: ERROR: no room\n"
    assert [path.name for path in tmp_path.iterdir()] == [kept.name] and kept.read_text() == "ERROR: no room\n"


def test_a_unit_that_cannot_be_emitted_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(area, "measure_area", failing_emission)
    result = run(tmp_path / "tiny.json")
    assert result.exit_code == 2 and result.stderr == "error: yosys failed with status 1: ERROR: syntax\n"
    assert not list(tmp_path.iterdir())


def test_a_unit_that_is_not_there_is_one_line():
    result = CliRunner().invoke(app, ["bench", "area", "--config", "none.toml"])
    assert result.exit_code == 2 and result.stderr.startswith("error: ") and result.stderr.count("\n") == 1


def test_seeds_are_handed_on_and_each_is_told(tmp_path, monkeypatch):
    def measured(config, folder, say, *, seeds):
        part, clocks = {"logic": 1.0, "memory_bits": 2}, dict.fromkeys(range(1, seeds + 1), 9.0)
        return {
            "tools": {"tool": "1"}, "bounds": [],
            "gates": {
                "unit": part, "predictor": part, "share": 0.5, "share_with_one_layers_table": 0.2, "paper_share": 0.1,
            },
            "ecp5": {"device": "FPGA", "mhz": 9.0, "unit": {"luts": 4711}, "mhz_of_seeds": clocks},
        }  # fmt: skip

    monkeypatch.setattr(area, "measure_area", measured)
    words = ["bench", "area", "--config", "tiny", "--seeds", "2", "--out", str(tmp_path / "tiny.json")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0 and "MHz of each seed: 1: 9.0, 2: 9.0\n" in result.stdout
    assert "predictor: 50.000% of the unit, 20.000% with one layer's" in result.stdout

"""Does `moefetch bench area` say in one line that a tool failed, and keep what the tool said?"""

from moefetch.cli.main import app
from moefetch.hw import area
from moefetch.hw.synthesis import ToolError
from typer.testing import CliRunner


def run(out):
    return CliRunner().invoke(app, ["bench", "area", "--config", "tiny", "--out", str(out)])


def failing_tool(config, folder, say):
    log = folder / "moefetch_unit.nextpnr.log"
    log.write_text("ERROR: no room\n")
    raise ToolError("nextpnr_ecp5 failed with status 255", log, "ERROR: no room")


def failing_emission(config, folder, say):
    raise RuntimeError("yosys failed with status 1: ERROR: syntax")


def test_a_failed_tool_is_one_line_that_names_a_log_which_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(area, "measure_area", failing_tool)
    result = run(tmp_path / "tiny.json")
    kept = tmp_path / "tiny-moefetch_unit.nextpnr.log"
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

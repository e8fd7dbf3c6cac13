"""Does the doctor find what is there, and say what to install for what is not?"""

from moefetch.cli import doctor
from moefetch.cli.main import app
from typer.testing import CliRunner


def run(status):
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == status, result.output
    return result


def without(monkeypatch, name):
    checks = [check._replace(probe=lambda: None) if check.name == name else check for check in doctor.CHECKS]
    monkeypatch.setattr(doctor, "CHECKS", [c._replace(probe=lambda: "1") if c.probe() else c for c in checks])


def test_everything_is_found_here_and_the_next_step_named():
    result = run(0)
    for check in doctor.CHECKS:
        assert check.name in result.stdout
    assert "missing" not in result.stdout
    assert "next: make sim" in result.stderr


def test_a_missing_required_tool_is_status_1_and_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    result = run(1)
    assert "error: g++ is missing, compiles Verilator's simulations: apt install g++" in result.stderr.splitlines()
    assert "error: make is missing" in result.stderr
    assert "python is missing" not in result.stderr


def test_a_missing_optional_tool_is_no_error(monkeypatch):
    without(monkeypatch, "iverilog")
    result = run(0)
    assert "apt install iverilog" in result.stdout


def test_a_program_that_fails_counts_as_missing(tmp_path, monkeypatch):
    program = tmp_path / "perl"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    check = next(check for check in doctor.CHECKS if check.name == "perl")
    assert check.probe() is None

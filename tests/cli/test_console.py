from pathlib import Path

import pytest
import typer
from moefetch.cli.console import next_command, print_whole, progress, reports_errors
from moefetch.traces.errors import UserError
from rich.table import Table


def test_a_user_error_is_one_line_on_standard_error_and_status_2(capsys):
    @reports_errors
    def command() -> None:
        raise UserError("file:\n  value [bold] is wrong")

    with pytest.raises(typer.Exit) as caught:
        command()
    assert caught.value.exit_code == 2
    assert capsys.readouterr() == ("", "error: file: value [bold] is wrong\n")


def test_an_interrupt_is_one_line_and_status_130(capsys):
    @reports_errors
    def command() -> None:
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as caught:
        command()
    assert caught.value.exit_code == 130
    assert capsys.readouterr() == ("", "interrupted: nothing was written\n")


def test_a_defect_of_ours_is_not_hidden():
    @reports_errors
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command()


def test_an_error_of_the_system_on_a_file_is_one_line(capsys):
    @reports_errors
    def command(name: str) -> None:
        Path(name).stat()

    with pytest.raises(typer.Exit) as caught:
        command("a" * 300)
    assert caught.value.exit_code == 2
    assert capsys.readouterr() == ("", f"error: {'a' * 300}: File name too long\n")


def test_output_that_nobody_reads_is_no_mistake():
    @reports_errors
    def command() -> None:
        raise BrokenPipeError(32, "Broken pipe", "out")

    with pytest.raises(BrokenPipeError):
        command()


def test_a_command_keeps_its_result_and_its_name(capsys):
    @reports_errors
    def command(number: int) -> int:
        return number + 1

    assert command(1) == 2
    assert command.__name__ == "command"


def test_progress_is_silent_where_there_is_no_terminal(capsys):
    with progress("working") as show:
        show(1, 2)
    assert capsys.readouterr() == ("", "")


def test_the_next_command_goes_to_standard_error(capsys):
    next_command("moefetch", "trace", "stats", "a b")
    assert capsys.readouterr() == ("", "next: moefetch trace stats 'a b'\n")


def test_a_table_is_never_cut(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    table = Table()
    for number in range(12):
        table.add_column(f"exposed stall {number}", no_wrap=True)
    table.add_row(*map(str, range(12)))
    print_whole(table)
    found = capsys.readouterr().out
    assert all(f"exposed stall {number}" in found for number in range(12)) and "…" not in found

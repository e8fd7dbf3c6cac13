"""Does a wrong command line give one line and status 2, and an empty one the help?"""

import pytest
from moefetch.cli.main import main


def run(monkeypatch, capsys, *arguments):
    """Return status, standard output and error of a command line."""
    monkeypatch.setattr("sys.argv", ["moefetch", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["replay"], "Missing argument 'TRACE'"),
        (["replay", "x", "--bogus"], "No such option: --bogus"),
        (["regress", "--tokens", "0"], "Invalid value for '--tokens'"),
        (["predict", "x", "--predictor", "nope"], "Invalid value for '--predictor': 'nope' is not one of"),
        (["trace", "validate"], "Missing argument"),
    ],
)
def test_a_wrong_command_line_gives_one_line(monkeypatch, capsys, arguments, said):
    status, _, error = run(monkeypatch, capsys, *arguments)
    assert status == 2
    assert error.startswith("error: ") and error.count("\n") == 1
    assert said in error and "--help)" in error


@pytest.mark.parametrize("arguments", [[], ["trace"], ["--help"], ["replay", "--help"]])
def test_help(monkeypatch, capsys, arguments):
    status, out, error = run(monkeypatch, capsys, *arguments)
    assert status == 0 and "Usage" in out + error and "error" not in error


def test_a_mistake_in_a_file_keeps_its_status(monkeypatch, capsys, tmp_path):
    status, _, error = run(monkeypatch, capsys, "trace", "validate", str(tmp_path / "none.parquet"))
    assert status == 2 and error.startswith("error: ") and error.count("\n") == 1

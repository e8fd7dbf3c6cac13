"""Does `moefetch bench predictors` write its tables and plot, and one line for a mistake?"""

import json

from moefetch.cli.main import app
from typer.testing import CliRunner

from .test_predict import small_trace


def run(*arguments, status=0):
    result = CliRunner().invoke(app, ["bench", "predictors", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


def test_two_traces_of_one_model_give_tables_a_plot_and_a_matrix(tmp_path):
    first, second = small_trace(tmp_path / "a.parquet"), small_trace(tmp_path / "b.parquet", hints=True)
    out = tmp_path / "out"
    text = run(first, second, "--out", out).stdout
    assert "weights, cold" in text and "hints" in text
    document = json.loads((out / "predictors.json").read_text())
    assert [result["trace"] for result in document["traces"]] == ["a", "b"]
    assert [list(matrix) for matrix in document["domains"]] == [["none", "a", "b"]]
    assert "| weights |" in (out / "predictors.md").read_text()
    assert (out / "predictors.svg").read_text().startswith("<svg")


def test_mistakes_are_one_line(tmp_path):
    path = small_trace(tmp_path / "a.parquet")
    (tmp_path / "more").mkdir()
    twin = small_trace(tmp_path / "more" / "a.parquet")
    assert "could not be told apart" in run(path, twin, "--out", tmp_path / "o", status=2).stderr
    assert "no such file" in run(tmp_path / "none.parquet", status=2).stderr.lower()

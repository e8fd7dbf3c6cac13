"""Is each predictor measured alone, in the geometry of a default unit of four layers, from Verilog that was written?"""

import json

from moefetch.hw import predictor_area
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.predictor_area import CONFIGS, measure_predictor
from moefetch.hw.synthesis import Ecp5Cells, Routed


def test_each_has_one_predictor_and_one_geometry():
    default = UNIT_PRESETS["default"].replace(max_layers=4)
    assert set(CONFIGS) == {"st_moe", "st_moe_paper", "weights-8", "weights-16", "weights-32"}
    for name, config in CONFIGS.items():
        (predictor,) = config.predictors
        assert name.partition("-")[0] == predictor
        assert config.replace(predictors=default.predictors, weight_lanes=default.weight_lanes) == default
    assert [CONFIGS[f"weights-{lanes}"].weight_lanes for lanes in (8, 16, 32)] == [8, 16, 32]


def test_a_document_has_what_the_tools_said(tmp_path, monkeypatch):
    def synthesise(files, *, top, folder):
        assert top == "moefetch_st_moe" and f"module {top}" in files[0].read_text()
        assert folder == tmp_path
        return Ecp5Cells({"LUT4": 10, "CCU2C": 2, "DP16KD": 3}, {"rows": "DP16KD"}, 0)

    monkeypatch.setattr(predictor_area, "tool_versions", lambda: {"yosys": "1"})
    monkeypatch.setattr(predictor_area, "synthesise_ecp5", synthesise)
    monkeypatch.setattr(
        predictor_area, "place_and_route", lambda *, top, folder, mhz: Routed(mhz / 2, {}, [("net", 1.0)])
    )
    said = []
    document = json.loads(json.dumps(measure_predictor("st_moe", tmp_path, said.append)))
    assert document["digest"] == CONFIGS["st_moe"].digest
    assert (document["luts"], document["mhz"], document["aimed_mhz"]) == (14, 50.0, 100.0)
    assert document["memories_in_flip_flops"] == 0 and document["slowest_path"] == [["net", 1.0]]
    assert said == ["synthesis of st_moe", "place and route of st_moe"]

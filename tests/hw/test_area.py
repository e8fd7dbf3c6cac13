"""Do the bounds of the edge unit hold or fail as its figures say? And what is kept is of the presets as they are."""

import copy
import json

import pytest
from moefetch.hw import area
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.measured import RESULTS, measured_area
from moefetch.hw.synthesis import Ecp5Cells, Routed

GOOD = {
    "ecp5": {
        "mhz": 100.0,
        "parts": {"predictor": {"luts": 4000}, "queue": {"luts": 3999}},
        "unit": {
            "memories": {"core__sram__bank_0.words": "DP16KD", "predictors__st_moe__table__rows": "PDPW16KD"},
            "memories_in_flip_flops": 0,
        },
    }
}


def broken(*path, value):
    document = copy.deepcopy(GOOD)
    place = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return document


def missed(document):
    return [bound["name"] for bound in area._bounds(document) if not bound["holds"]]


def test_figures_at_the_bounds_hold():
    assert missed(GOOD) == []


@pytest.mark.parametrize(
    ("document", "name"),
    [
        (broken("ecp5", "mhz", value=99.9), "clock"),
        (broken("ecp5", "parts", "queue", "luts", value=4000), "LUT4"),
        (broken("ecp5", "unit", "memories_in_flip_flops", value=1), "flip-flops"),
        (broken("ecp5", "unit", "memories", "core__sram__bank_0.words", value="TRELLIS_DPR16X4"), "outside block RAM"),
        (broken("ecp5", "unit", "memories", value={}), "outside block RAM"),
    ],
)
def test_each_bound_can_fail(document, name):
    (found,) = missed(document)
    assert name in found


def test_the_fastest_seed_counts_and_all_are_told(monkeypatch, tmp_path):
    clocks = {1: 91.26, 2: 101.0, 3: 99.0}
    monkeypatch.setattr(area, "synthesise_ecp5", lambda files, *, top, folder: Ecp5Cells({"LUT4": 7}, {}, 0))
    monkeypatch.setattr(
        area, "place_and_route", lambda *, top, folder, mhz, seed: Routed(clocks[seed], {}, [(f"net {seed}", 1.0)])
    )
    found = area._ecp5(("unit", []), {}, tmp_path, lambda step: None, 3)
    assert (found["mhz"], found["seed"], found["slowest_path"]) == (101.0, 2, [("net 2", 1.0)])
    assert found["mhz_of_seeds"] == {"1": 91.3, "2": 101.0, "3": 99.0}


def test_results_that_are_kept_are_of_presets_as_they_are():
    names = {preset.digest: name for name, preset in UNIT_PRESETS.items()}
    for path in RESULTS.glob("*.json"):
        document = json.loads(path.read_text())
        assert names.get(document["digest"]) == path.stem, f"{path.name}: measure it again: moefetch bench area"
        assert measured_area(UNIT_PRESETS[path.stem]) == document

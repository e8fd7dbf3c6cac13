"""Do the bounds of the edge unit hold or fail as its figures say? And what is kept is of the presets as they are."""

import copy
import json

import pytest
from moefetch.hw import area
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.emit import WRITERS, versions
from moefetch.hw.measured import RESULTS, measured_area, verilog_digest
from moefetch.hw.synthesis import Ecp5Cells, Routed

BANK, TABLE = "core__sram__bank_1__wrapper.words", "predictors__st_moe__table__rows__wrapper.words"
GOOD = {
    "ecp5": {
        "mhz": 100.0,
        "parts": {"predictor": {"luts": 4000}, "queue": {"luts": 3999}},
        "unit": {
            "memories": {
                "core__sram__bank_0__wrapper.words": "DP16KD",
                BANK: "DP16KD",
                TABLE: "PDPW16KD",
                "keys.words": "TRELLIS_DPR16X4",
            },
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
    return [bound["name"] for bound in area._bounds(UNIT_PRESETS["edge"], document) if not bound["holds"]]


def test_figures_at_the_bounds_hold():
    assert missed(GOOD) == []


@pytest.mark.parametrize(
    ("document", "name"),
    [
        (broken("ecp5", "mhz", value=99.9), "clock"),
        (broken("ecp5", "parts", "queue", "luts", value=4000), "LUT4"),
        (broken("ecp5", "unit", "memories_in_flip_flops", value=1), "flip-flops"),
        (broken("ecp5", "unit", "memories", BANK, value="TRELLIS_DPR16X4"), "outside block RAM"),
        (broken("ecp5", "unit", "memories", TABLE, value="TRELLIS_DPR16X4"), "outside block RAM"),
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
        assert all(bound["holds"] for bound in document["bounds"]), path.name


@pytest.mark.parametrize("name", [path.stem for path in RESULTS.glob("*.json")])
def test_results_that_are_kept_are_of_the_verilog_as_it_is(name, tmp_path):
    document = json.loads((RESULTS / f"{name}.json").read_text())
    if document["emitted_with"] != versions(WRITERS):
        pytest.skip(f"measured with Verilog of {document['emitted_with']}")
    _, files = area.emit_unit(UNIT_PRESETS[name], tmp_path)
    assert verilog_digest(files) == document["verilog_sha256"], "measure it again: moefetch bench area"


def test_a_digest_is_of_what_follows_the_first_comments(tmp_path):
    texts = {"a": "// 1\n// 2\nmodule a;\n// b\nend\n", "b": "// 3\nmodule a;\n// b\nend\n", "c": "module a;\nend\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    found = {name: verilog_digest([tmp_path / name]) for name in texts}
    assert found["a"] == found["b"] != found["c"]

"""Are the shoot-out's tables and plots in the manual made of the figures that are kept?"""

from pathlib import Path

from moefetch.hw.config import UnitConfig
from moefetch.hw.measured import measured_predictors
from moefetch.hw.predictor_area import CONFIGS
from moefetch.sim.shootout_document import ShootoutDocument

FOLDER = Path(__file__).parents[2] / "docs" / "shootout"


def test_every_file_is_of_the_document():
    text = (FOLDER / "predictors.json").read_text(encoding="utf-8")
    for name, expected in ShootoutDocument.model_validate_json(text).files().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == expected, f"{name}: run moefetch bench predictors"


def test_predictors_whose_area_is_kept_are_as_they_were_measured():
    kept = measured_predictors()
    assert kept
    for name, document in kept.items():
        assert document["digest"] == CONFIGS[name].digest, f"{name}: measure it again: moefetch bench predictor-area"
        assert UnitConfig.model_validate(document["config"]) == CONFIGS[name]

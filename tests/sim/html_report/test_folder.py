"""Is a folder read as it was written, and is what is missing or old named in one line?"""

import json

import pytest
from moefetch.sim.html_report.folder import read_folder
from moefetch.traces.errors import UserError

from .compared_folder import FEW, POINTS, write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("folder")
    write_folder(found)
    return found


def test_a_folder_is_read_with_what_is_beside_it(folder):
    (compared,) = read_folder(folder)
    assert list(compared.policies) == list(FEW)
    assert compared.points == POINTS
    assert compared.detail["steps"] == 17
    assert compared.token_cycle == 6
    fastest = min(("st_moe_paper", "st_moe", "hints"), key=lambda name: compared.value(name, "tpot_mean"))
    assert compared.best == fastest  # the oracles are no policies of a unit
    assert compared.shown == ["none", fastest, "oracle"]
    assert compared.value("none", "speed_up") == 1
    assert compared.value("none", "not_a_figure") is None
    low, high = compared.interval("st_moe", "speed_up")
    assert low <= compared.value("st_moe", "speed_up") <= high
    (text,) = compared.text("speed_up", "not_a_figure")
    assert text.formula == "tpot_mean of none / tpot_mean"


def test_side_files_of_another_comparison_are_left_alone(folder, tmp_path):
    document = json.loads((folder / "compare.json").read_text())
    document["comparisons"][0]["steps"] += 1
    for name in ("detail.json", "cache-sizes.json"):
        (tmp_path / name).write_text((folder / name).read_text())
    (tmp_path / "compare.json").write_text(json.dumps(document))
    (compared,) = read_folder(tmp_path)
    assert compared.detail is None
    assert compared.points == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no compare.json: moefetch compare TRACE --out"),
        ("{", "compare.json: not JSON"),
        ('{"compare_version": 0}', "compare_version = 0: must be 1: compare again"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, text, message):
    if text is not None:
        (tmp_path / "compare.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read_folder(tmp_path)

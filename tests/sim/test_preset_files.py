"""Is every number of every preset sourced and right, and is a wrong file named in one line?"""

import json
import tomllib
from pathlib import Path

import pytest
from moefetch.sim.model_spec import load_model
from moefetch.sim.platform_spec import load_platform
from moefetch.sim.preset_files import PRESETS, preset_names
from moefetch.traces.errors import UserError

LOAD = {"models": load_model, "platforms": load_platform}
EVERY_PRESET = [(kind, name) for kind in LOAD for name in preset_names(kind)]


def test_the_presets_that_people_are_told_of_are_there():
    assert preset_names("models") == [
        "deepseek-v2-lite",
        "gpt-oss-120b",
        "gpt-oss-20b",
        "mixtral-8x7b",
        "moefetch-small",
        "olmoe",
        "qwen1.5-moe",
        "qwen3-30b-a3b",
    ]
    assert preset_names("platforms") == [
        "cxl",
        "ecp5-ddr3",
        "lpddr5x",
        "pcie4-x16",
        "pcie5-x16",
        "st-moe-paper",
    ]


def values(fields, prefix=""):
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from values(value, f"{prefix}{name}.")
        elif prefix + name != "name":
            yield prefix + name


@pytest.mark.parametrize(("kind", "name"), EVERY_PRESET)
def test_every_value_written_in_a_preset_has_its_source(kind, name):
    fields = tomllib.loads((PRESETS / kind / f"{name}.toml").read_text())
    sources = fields.pop("source")
    assert fields["name"] == name
    assert set(values(fields)) == set(sources)
    assert all(len(source) >= 10 for source in sources.values())


@pytest.mark.parametrize(("kind", "name"), EVERY_PRESET)
def test_every_preset_loads_and_is_frozen(kind, name):
    spec = LOAD[kind](name)
    assert spec.name == name
    with pytest.raises(ValueError, match="frozen"):
        spec.name = "other"


# Published shapes: hidden, heads x size, KV heads x size, expert and shared width, vocabulary, KV positions.
SHAPES = {
    "gpt-oss-20b": (2880, 4096, 512, 2880, 0, 201088, 576),
    "gpt-oss-120b": (2880, 4096, 512, 2880, 0, 201088, 576),
    "qwen3-30b-a3b": (2048, 4096, 512, 768, 0, 151936, 1024),
    "qwen1.5-moe": (2048, 2048, 2048, 1408, 5632, 151936, 1024),
    "olmoe": (2048, 2048, 2048, 1024, 0, 50304, 1024),
    "mixtral-8x7b": (4096, 4096, 1024, 14336, 0, 32000, 1024),
    "moefetch-small": (128, 128, 64, 64, 0, 2048, 256),
}


@pytest.mark.parametrize("name", SHAPES)
def test_bytes_and_work_follow_from_the_published_shapes(name):
    hidden, query, key, width, shared, vocabulary, positions = SHAPES[name]
    model = load_model(name)
    bits = 4.25 if name.startswith("gpt-oss") else 16
    expert = 3 * hidden * width
    resident = 2 * hidden * (query + key) + hidden * model.n_experts + 3 * hidden * shared
    assert model.expert_bytes == expert * bits / 8
    assert model.expert_flops == 2 * expert
    assert model.attention_bytes == 2 * resident + 2 * 2 * key * positions
    assert model.attention_flops == 2 * resident + 4 * query * positions
    assert model.step_bytes == model.step_flops == 2 * vocabulary * hidden


# Parameters in billions as the makers state them (total, active).
SIZES = {
    "gpt-oss-20b": (20.9, 3.6),
    "gpt-oss-120b": (116.8, 5.1),
    "qwen3-30b-a3b": (30.5, 3.3),
    "qwen1.5-moe": (14.3, 2.7),
    "deepseek-v2-lite": (15.7, 2.4),
    "olmoe": (6.9, 1.3),
    "mixtral-8x7b": (46.7, 12.9),
}


@pytest.mark.parametrize("name", SIZES)
def test_the_work_adds_up_to_the_published_parameters(name):
    model = load_model(name)
    expert = model.expert_flops / 2
    rest = (model.n_layers * model.attention_bytes + model.step_bytes) / 2  # BF16, with a small KV cache
    total = rest + model.n_layers * model.n_experts * expert
    active = rest + model.n_layers * model.top_k * expert
    assert total / 1e9 == pytest.approx(SIZES[name][0], rel=0.05)
    assert active / 1e9 == pytest.approx(SIZES[name][1], rel=0.15)


RATES = {
    "st-moe-paper": 256e9,
    "pcie4-x16": 28.8e9,
    "pcie5-x16": 57.6e9,
    "cxl": 36e9,
    "lpddr5x": 68.3e9,
    "ecp5-ddr3": 1.6e9,
}


@pytest.mark.parametrize("name", RATES)
def test_links_have_their_rate_and_enough_bursts_to_reach_it(name):
    platform = load_platform(name)
    assert float(platform.link_bytes_per_second) == pytest.approx(RATES[name], rel=0.001)
    burst = platform.link.max_burst_beats * platform.link.cycles_per_beat
    assert platform.link.outstanding * burst >= platform.latency_cycles + burst


def test_a_users_file_is_read_by_its_path(tmp_path, monkeypatch):
    path = tmp_path / "mine.toml"
    path.write_text((PRESETS / "models" / "olmoe.toml").read_text().replace('"olmoe"', '"mine"'))
    assert load_model(str(path)).name == "mine"
    monkeypatch.chdir(tmp_path)
    assert load_model("mine.toml").n_experts == 64


def test_an_unknown_preset_lists_the_known_ones_in_one_line():
    with pytest.raises(UserError) as error:
        load_model("gpt-5")
    assert "gpt-5" in str(error.value)
    assert "gpt-oss-20b, mixtral-8x7b" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="pcie4-x16"):
        load_platform("abacus")


MODEL = {
    "name": "m",
    "n_layers": 2,
    "n_experts": 4,
    "top_k": 2,
    "expert_bytes": 4096,
    "expert_flops": 1,
    "attention_bytes": 1,
    "attention_flops": 1,
    "step_bytes": 0,
    "step_flops": 0,
}


def write(path: Path, fields):
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items()))
    return str(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top_k": 5}, "top_k = 5: must not exceed n_experts = 4"),
        ({"n_layers": 0}, "n_layers = 0: "),
        ({"expert_bytes": "many"}, "expert_bytes = 'many': "),
        ({"colour": 1}, "colour = 1: "),
        ({"step_flops": None}, "step_flops: "),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_rule(tmp_path, change, message):
    fields = {name: value for name, value in (MODEL | change).items() if value is not None}
    with pytest.raises(UserError) as error:
        load_model(write(tmp_path / "m.toml", fields))
    assert str(error.value).startswith(f"{tmp_path}/m.toml: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bus_bytes = 32", "bus_bytes = 48", "bus_bytes = 48: must be a power of two"),
        ("max_burst_beats = 128", "max_burst_beats = 256", "link.max_burst_beats = 256: a burst of 32-byte"),
        ("cycles_per_beat = 1", "cycles_per_beat = 1.5", "link.cycles_per_beat = 1.5: "),
        ("[compute]", "[background]\nperiod_cycles = 9\nlength_cycles = 9\n[compute]", "background = "),
    ],
)
def test_a_wrong_platform_is_named(tmp_path, old, new, message):
    text = (PRESETS / "platforms" / "pcie4-x16.toml").read_text()
    assert old in text
    path = tmp_path / "p.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        load_platform(str(path))
    assert f"{path}: {message}" in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_foreign_and_binary_files_are_named_in_one_line(tmp_path):
    (tmp_path / "text.toml").write_text("this is not TOML")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("absent", "text", "binary"):
        with pytest.raises(UserError) as error:
            load_platform(str(tmp_path / f"{name}.toml"))
        assert f"{name}.toml: " in str(error.value)
        assert "\n" not in str(error.value)

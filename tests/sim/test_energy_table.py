"""Does every energy state its source, does a user's file replace it, and is a mistake named in one line?"""

import pytest
from moefetch.sim.energy_table import energy_prices, energy_statement, load_energy_table
from moefetch.sim.platform_spec import load_platform
from moefetch.sim.preset_files import preset_names
from moefetch.traces.errors import UserError

OWN = """
[memory.lpddr5x]
picojoules_per_bit = 6.5
basis = "published"
source = "my board, measured"

[memory.magic]
picojoules_per_bit = 0.1
basis = "assumed"
source = "hope"
node = "1nm"

[node.1nm]
cell_um2 = 0.01
array_efficiency = 0.5
basis = "assumed"
source = "hope"
"""


def test_every_entry_names_a_source_or_an_entry_that_has_one():
    table = load_energy_table()
    entries = {**table.memory, **table.node}
    for name, entry in entries.items():
        dated = any(year in entry.source for year in map(str, range(2007, 2027)))
        assert dated or any(other in entry.source for other in entries.keys() - {name}) or "WikiChip" in entry.source


def test_every_platform_preset_has_prices():
    table = load_energy_table()
    for name in preset_names("platforms"):
        prices = energy_prices(load_platform(name), table)
        assert prices is not None
        assert prices.link >= prices.slots >= prices.tables > 0, name
        assert set(load_platform(name).energy.link) <= prices.entries.keys()


def test_hops_of_a_link_add_up_and_areas_follow_from_the_cell():
    table = load_energy_table()
    pcie = energy_prices(load_platform("pcie5-x16"), table)
    assert pcie.link == pytest.approx(14 + 11.4)
    assert pcie.slot_area is None  # slots in the GPU's memory take no area of the chip
    phone = energy_prices(load_platform("lpddr5x"), table)
    assert phone.slot_area == pytest.approx(0.027 / 0.7 * 1e-6)


def test_a_users_file_replaces_entries_and_adds_some(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    table = load_energy_table(str(path))
    platform = load_platform("lpddr5x")
    assert energy_prices(platform, table).link == 6.5
    assert energy_prices(platform, table).slots == energy_prices(platform, load_energy_table()).slots
    magic = platform.energy.model_copy(update={"slots": "magic"})
    prices = energy_prices(platform.model_copy(update={"energy": magic}), table)
    assert (prices.slots, prices.slot_area) == (0.1, pytest.approx(0.02e-6))
    assert "assumed: magic" in energy_statement(prices)


def test_a_platform_without_energy_has_no_prices():
    platform = load_platform("lpddr5x").model_copy(update={"energy": None})
    assert energy_prices(platform, load_energy_table()) is None
    assert "no [energy]" in energy_statement(None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OWN.replace("6.5", "-1"), "memory.lpddr5x.picojoules_per_bit = -1: Input should be greater than 0"),
        (OWN.replace("6.5", "inf"), "memory.lpddr5x.picojoules_per_bit = inf: Input should be a finite number"),
        (OWN.replace('"my board, measured"', '""'), "memory.lpddr5x.source = '': String should have at least 1"),
        (OWN.replace('basis = "published"', 'basis = "sure"'), "memory.lpddr5x.basis = 'sure': Input should be"),
        (OWN.replace("0.5", "1.5"), "node.1nm.array_efficiency = 1.5: Input should be less than or equal to 1"),
        (OWN.replace("basis", "bases", 1), "memory.lpddr5x.basis: Field required"),
    ],
)
def test_a_mistake_in_a_users_file_is_one_line(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        load_energy_table(str(path))
    assert str(error.value).startswith(f"{path}: {message}")


def test_unknown_names_list_the_known_ones(tmp_path):
    table, platform = load_energy_table(), load_platform("lpddr5x")
    for field, value in (("link", ("lpddr9",)), ("slots", "lpddr9"), ("tables", "lpddr9")):
        wrong = platform.energy.model_copy(update={field: value})
        with pytest.raises(UserError, match=rf"platform lpddr5x: energy.{field} = 'lpddr9': must be .*hbm2, lpddr5x"):
            energy_prices(platform.model_copy(update={"energy": wrong}), table)
    path = tmp_path / "mine.toml"
    path.write_text(OWN.replace('node = "1nm"', 'node = "2nm"'))
    magic = platform.model_copy(update={"energy": platform.energy.model_copy(update={"slots": "magic"})})
    with pytest.raises(UserError, match=r"memory.magic.node = '2nm': must be a node of the table \(3nm"):
        energy_prices(magic, load_energy_table(str(path)))

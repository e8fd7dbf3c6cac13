"""Do the figures of energy and area follow their formulas, and are they empty where nothing is known?"""

import pytest
from moefetch.sim.energy_figures import ENERGY_FIGURES
from moefetch.sim.metrics import derive_figures
from moefetch.sim.replay_run import Run
from moefetch.sim.table_traffic import bits_of_events

from .test_energy import PRICES
from .test_metrics import result_of


def runs(tmp_path):
    result = result_of(
        tmp_path, demand=20, hit_prefetch=6, late=2, open=2, demand_issued=6, demand_beats=6 * 512,
        prefetch_beats=14 * 512, discarded_beats=10,
    )  # fmt: skip
    return result, result_of(tmp_path, "none", demand=20, demand_issued=15, demand_beats=15 * 512)


def test_figures_by_hand(tmp_path):
    result, baseline = runs(tmp_path)
    figures = derive_figures(Run(result, baseline, PRICES))
    bits = 32
    link = (20 * 512 + 10) * bits * 10 / 1e6
    slots = (20 * 512 + 20 * 512) * bits * 2 / 1e6
    tables = int(bits_of_events(result.job).sum()) * 0.5 / 1e6
    wasted = ((4 * 512 + 10) * 10 + 4 * 512 * 2) * bits / 1e6
    none = (15 * 512 * 10 + (15 + 20) * 512 * 2) * bits / 1e6
    whole = link + slots + tables
    expected = {
        "link_energy_per_token": link / 4,
        "slot_energy_per_token": slots / 4,
        "table_energy_per_token": tables / 4,
        "energy_per_token": whole / 4,
        "wasted_energy_per_token": wasted / 4,
        "energy_ratio": whole / none,
        "edp": whole / 4 * 2.5,
        "edp_ratio": whole / none,  # both took the same time
        "slot_area": 8 * 2048 * 8 * 1e-6,
        "table_area": 3 * 88 * 2e-6,
    }
    assert {name: figures[name] for name in expected} == pytest.approx(expected)
    assert {figure.name for figure in ENERGY_FIGURES} == expected.keys()


def test_energy_and_its_product_with_time_may_disagree(tmp_path):
    """A run of half the time and more energy: worse by energy, better by energy-delay product."""
    result, baseline = runs(tmp_path)
    result.step_cycles = [cycles // 2 for cycles in result.step_cycles]
    figures = derive_figures(Run(result, baseline, PRICES))
    assert figures["energy_ratio"] > 1
    assert figures["edp_ratio"] == pytest.approx(figures["energy_ratio"] / 2)
    assert figures["edp_ratio"] < 1


def test_without_prices_or_a_process_there_is_no_figure(tmp_path):
    result, baseline = runs(tmp_path)
    unpriced = derive_figures(Run(result, baseline))
    for figure in ENERGY_FIGURES:
        assert unpriced[figure.name] is None
    alone = derive_figures(Run(result, None, PRICES))
    assert alone["energy_ratio"] is None
    assert alone["edp_ratio"] is None
    off_chip = derive_figures(Run(result, baseline, PRICES._replace(slot_area=None)))
    assert off_chip["slot_area"] is None
    assert off_chip["table_area"] is not None

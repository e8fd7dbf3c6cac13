"""Is the energy of a replay its moved bits times the prices, by hand?"""

from dataclasses import replace

from moefetch.sim.energy import MovedBits, Picojoules, moved_bits, picojoules
from moefetch.sim.energy_table import EnergyPrices

from .test_metrics import result_of

PRICES = EnergyPrices(link=10, slots=2, tables=0.5, slot_area=1e-6, table_area=2e-6, entries={})


def test_moved_bits_by_hand(tmp_path):
    result = result_of(
        tmp_path, demand=9, error_grants=1, demand_beats=512, prefetch_beats=1024, discarded_beats=100
    )  # fmt: skip
    beat = 4 * 8
    assert moved_bits(result, 612, 77) == MovedBits(
        link=(512 + 1024 + 100) * beat,
        slots=(512 + 1024 + 8 * 512) * beat,
        tables=77,
        wasted_link=612 * beat,
        wasted_slots=512 * beat,
    )


def test_a_scale_is_undone_for_experts_and_leaves_tables_alone(tmp_path):
    result = result_of(tmp_path, demand=1, demand_beats=512)
    workload = result.job.workload.model_copy(update={"scale": 5})
    bits = moved_bits(replace(result, job=replace(result.job, workload=workload)), 0, 77)
    assert (bits.link, bits.tables) == (5 * 512 * 32, 77)


def test_prices_are_applied_to_their_bits():
    spent = picojoules(MovedBits(100, 10, 4, 20, 5), PRICES)
    assert spent == Picojoules(link=1000, slots=20, tables=2, wasted=20 * 10 + 5 * 2)
    assert spent.total == 1022

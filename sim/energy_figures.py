"""The figures of energy and area, all modelled: what moved bits cost by the prices of a platform, and what bits occupy.

ST-MoE (arXiv 2606.15453) calls the inverse of a ratio of energy-delay products its energy efficiency. Here energy and
energy-delay product stand side by side.
"""

from collections.abc import Callable

from .figure import Figure
from .replay_run import Run, mean_step, ratio
from .storage_bits import SRAM_FORMULA, TABLE_FORMULA, policy_table_bits

PICO_TO_MICRO = 1e6


def _microjoules(part: str) -> Callable[[Run], float | None]:
    """Return the figure of a part of the energy, a token."""
    return lambda run: None if run.energy is None else ratio(getattr(run.energy, part) / PICO_TO_MICRO, run.tokens)


def _energy_ratio(run: Run) -> float | None:
    if run.energy is None or run.baseline_energy is None:
        return None
    return ratio(run.energy.total, run.baseline_energy.total)


def _edp(run: Run) -> float | None:
    energy, time = _microjoules("total")(run), run.real_microseconds(mean_step(run))
    return None if energy is None or time is None else energy * time


def _edp_ratio(run: Run) -> float | None:
    """Return the ratio of energies times that of times; both runs have the same tokens and steps."""
    energies = _energy_ratio(run)
    if energies is None or run.baseline is None:
        return None
    times = ratio(sum(run.result.step_cycles), sum(run.baseline.step_cycles))
    return None if times is None else energies * times


def _slot_bits(run: Run) -> int:
    workload, settings = run.result.job.workload, run.result.job.settings
    return settings["n_slots"] * workload.expert_bytes * workload.scale * 8


def _table_bits(run: Run) -> int | None:
    job = run.result.job
    n_layers, n_experts, entries = (job.settings[name] for name in ("n_layers", "n_experts", "row_entries"))
    return policy_table_bits(job.policy, n_layers, n_experts, entries, job.unit.weight_rules)


def _area(bits: Callable[[Run], int | None], name: str) -> Callable[[Run], float | None]:
    def of(run: Run) -> float | None:
        area, count = None if run.prices is None else getattr(run.prices, name), bits(run)
        return None if area is None or count is None else count * area

    return of


ENERGY_FIGURES = (
    Figure(
        "link_energy_per_token",
        "link beats x bus bits x scale x pJ/bit of the link / tokens",
        "microjoules",
        "modelled",
        _microjoules("link"),
    ),
    Figure(
        "slot_energy_per_token",
        "(demand_beats + prefetch_beats written + (demand - error_grants) x expert beats read) x bus bits x scale x "
        "pJ/bit of the slots / tokens",
        "microjoules",
        "modelled",
        _microjoules("slots"),
    ),
    Figure(
        "table_energy_per_token",
        "bits of the predictor's rows read and written x pJ/bit of the tables / tokens",
        "microjoules",
        "modelled",
        _microjoules("tables"),
    ),
    Figure(
        "energy_per_token",
        "link_energy_per_token + slot_energy_per_token + table_energy_per_token",
        "microjoules",
        "modelled",
        _microjoules("total"),
    ),
    Figure(
        "wasted_energy_per_token",
        "(wasted beats x pJ/bit of the link + (wasted beats - discarded_beats) x pJ/bit of the slots) x bus bits x "
        "scale / tokens",
        "microjoules",
        "modelled",
        _microjoules("wasted"),
    ),
    Figure(
        "energy_ratio",
        "energy_per_token / energy_per_token of the run without prefetch",
        "ratio",
        "modelled",
        _energy_ratio,
    ),
    Figure("edp", "energy_per_token x tpot_mean_us", "microjoules x microseconds", "modelled", _edp),
    Figure("edp_ratio", "edp / edp of the run without prefetch", "ratio", "modelled", _edp_ratio),
    Figure(
        "slot_area",
        f"({SRAM_FORMULA}) x cell area / array efficiency, where the slots are SRAM of a known process",
        "mm2",
        "modelled",
        _area(_slot_bits, "slot_area"),
    ),
    Figure(
        "table_area",
        f"({TABLE_FORMULA}) x cell area / array efficiency, where the tables are SRAM of a known process",
        "mm2",
        "modelled",
        _area(_table_bits, "table_area"),
    ),
)
"""In the order of reports."""

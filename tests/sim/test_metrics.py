"""Do derived figures follow their formulas, by hand on small numbers?"""

from dataclasses import replace

import pytest
from moefetch.hw.counter_names import COUNTERS
from moefetch.sim.all_resident import all_resident_cycles
from moefetch.sim.figure import LABELS
from moefetch.sim.metrics import FIGURES, derive_figures, percentile
from moefetch.sim.policies import POLICIES, PolicyOptions
from moefetch.sim.replay_result import ReplayResult
from moefetch.sim.replay_run import Run

from .test_jobs import plan_of


def result_of(tmp_path, policy="st_moe", **counters):
    plan = plan_of(tmp_path, tokens=4)
    job = plan.job(POLICIES[policy], PolicyOptions())
    values = dict.fromkeys(COUNTERS, 0) | counters
    return ReplayResult("rtl, none", job, values | {"timely": values["hit_prefetch"]}, 10_000, [4000, 1000, 2000, 3000],
                        12, 0, 0, 0, 0)  # fmt: skip


def test_figures_by_hand(tmp_path):
    result = result_of(
        tmp_path, demand=20, hit=12, late=2, miss=6, hit_prefetch=6, issued=14, open=2, useless=4, demand_issued=6,
        demand_beats=6 * 512, prefetch_beats=14 * 512, discarded_beats=10,
    )  # fmt: skip
    baseline = result_of(tmp_path, "none", miss=15, demand_beats=15 * 512)
    figures = derive_figures(Run(result, baseline))
    expected = {
        "hit_rate": 12 / 20,
        "accuracy": (6 + 2) / (14 - 2),
        "coverage": 1 - 6 / 15,
        "timeliness": 6 / (6 + 2),
        "link_bytes_per_token": (20 * 512 + 10) * 4 / 4,
        "wasted_bytes_per_token": (4 * 512 + 10) * 4 / 4,
        "traffic_ratio": (20 * 512 + 10) / (15 * 512),
        "tpot_mean": 2500,
        "tpot_p50": 2000,
        "tpot_p95": 4000,
        "tpot_p99": 4000,
        "tpot_mean_us": 2.5,
        "tpot_p99_us": 4.0,
    }
    assert {name: figures[name] for name in expected} == pytest.approx(expected)
    limit = all_resident_cycles(result.job.events, result.job.workload)
    assert figures["all_resident_cycles"] == limit
    assert figures["exposed_stall"] == 10_000 - limit
    assert figures["exposed_stall_share"] == pytest.approx((10_000 - limit) / 10_000)


def test_a_scale_is_undone_in_bytes_and_time(tmp_path):
    plain = result_of(tmp_path, demand_beats=512)
    workload = plain.job.workload.model_copy(update={"scale": 3})
    scaled = replace(plain, job=replace(plain.job, workload=workload))
    one, three = derive_figures(Run(plain)), derive_figures(Run(scaled))
    for name in ("link_bytes_per_token", "tpot_mean_us"):
        assert three[name] == pytest.approx(3 * one[name])
    assert three["tpot_mean"] == one["tpot_mean"]


def test_what_has_no_value_is_none(tmp_path):
    figures = derive_figures(Run(result_of(tmp_path)))
    for name in ("hit_rate", "accuracy", "coverage", "timeliness", "traffic_ratio"):
        assert figures[name] is None


def test_percentiles_are_nearest_rank():
    values = list(range(1, 101))
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([7], 0.01) == 7
    assert percentile([], 0.5) is None


def test_every_figure_has_formula_unit_and_label():
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)
    assert all(figure.formula and figure.unit and figure.label in LABELS for figure in FIGURES)

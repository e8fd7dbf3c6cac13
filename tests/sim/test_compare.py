"""Does a comparison take every policy of the registries, and are its figures what their formulas say?"""

from dataclasses import replace

import pytest
from moefetch.sim.bootstrap import Interval
from moefetch.sim.compare import (
    COUNTED,
    MEANINGS,
    PERCENTILES,
    _verdict,
    comparison_jobs,
    default_warm_up,
    policy_texts,
)
from moefetch.sim.figure import LABELS
from moefetch.sim.metrics import percentile
from moefetch.sim.model_policies import MODEL_POLICIES
from moefetch.sim.policies import KNOWN_POLICIES
from moefetch.sim.unit_fit import with_predictors

from .model_in_python import comparison_of
from .replay_fixtures import toy_trace
from .test_jobs import plan_of

FEW = ("none", "st_moe", "belady", "oracle")


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    plan = plan_of(tmp_path_factory.mktemp("compare"), toy_trace(tokens=20, sequences=5))
    return comparison_of(plan, 3, FEW)


def test_every_policy_of_the_registries_is_compared(tmp_path):
    told = []
    plan = plan_of(tmp_path)
    whole = replace(plan, unit=with_predictors(plan.unit, KNOWN_POLICIES.values()))
    jobs = comparison_jobs(whole, told.append)
    assert [job.policy for job in jobs] == [*KNOWN_POLICIES, *MODEL_POLICIES] == list(policy_texts())
    assert told == []
    jobs = comparison_jobs(plan_of(tmp_path, toy_trace(hints=False)), told.append)
    assert not {"hints", "weights"} & {job.policy for job in jobs}
    assert told[0] == "the unit has no predictor weights: policy weights is left out"
    assert "policy hints is left out" in told[1]


def test_weights_stand_beside_the_others_on_one_unit(tmp_path):
    plan = plan_of(tmp_path, toy_trace(tokens=12, sequences=3))
    plan = replace(plan, unit=with_predictors(plan.unit, KNOWN_POLICIES.values()))
    found = comparison_of(plan, 3, (*FEW, "weights"))
    assert [row.policy for row in found.rows if row.prefetches] == ["st_moe", "weights", "oracle"]
    assert found.row("weights").figures["accuracy"] is not None


def test_figures_are_of_the_steps_after_the_warm_up(comparison):
    assert (comparison.steps, comparison.tokens, comparison.sequences) == (17, 17, 5)
    for row, run in zip(comparison.rows, comparison.runs, strict=True):
        steps = run.whole.step_cycles[3:]
        assert row.figures["tpot_mean"] == pytest.approx(sum(steps) / 17)
        assert row.figures["tpot_p95"] == percentile(steps, 0.95)
        assert sum(row.stack.values()) == pytest.approx(row.figures["tpot_mean"])


def test_speed_up_gap_and_coverage(comparison):
    none, oracle, st_moe = (comparison.row(name).figures for name in ("none", "oracle", "st_moe"))
    assert (none["speed_up"], none["gap_closed"], none["coverage"]) == (1, 0, 0)
    assert oracle["gap_closed"] == pytest.approx(1)
    assert oracle["speed_up"] == pytest.approx(none["tpot_mean"] / oracle["tpot_mean"])
    closed = (none["tpot_mean"] - st_moe["tpot_mean"]) / (none["tpot_mean"] - oracle["tpot_mean"])
    assert st_moe["gap_closed"] == pytest.approx(closed)
    misses = {run.whole.job.policy: run.result.counters["miss"] for run in comparison.runs}
    assert st_moe["coverage"] == pytest.approx(1 - misses["st_moe"] / misses["none"])


def test_policies_that_name_experts_prefetch(comparison):
    assert [row.policy for row in comparison.rows if row.prefetches] == ["st_moe", "oracle"]


def test_no_policy_is_below_the_limits(comparison):
    fastest = min(row.figures["tpot_mean"] for row in comparison.rows)
    assert comparison.limits["all_resident"] <= comparison.limits["roofline"] <= fastest


def test_intervals_hold_their_figure(comparison):
    row = comparison.row("st_moe")
    assert {"tpot_mean", "speed_up", "gap_closed", *PERCENTILES, *COUNTED} == row.intervals.keys()
    for name, (low, high) in row.intervals.items():
        assert low <= row.figures[name] <= high, name
    assert row.intervals["speed_up"].low < row.intervals["speed_up"].high
    assert comparison.row("none").intervals["speed_up"] == (1, 1)
    assert "accuracy" not in comparison.row("none").intervals


def test_one_sequence_has_no_interval(tmp_path):
    comparison = comparison_of(plan_of(tmp_path, toy_trace(tokens=8, sequences=1)), 2, ("none", "oracle"))
    assert comparison.sequences == 1
    assert all(row.intervals == {} for row in comparison.rows)


def test_an_oracle_that_gains_nothing_closes_no_gap(tmp_path):
    """Slots for every expert, each seen in the warm-up: there is nothing to gain, and no gap to divide by."""

    def one_set(experts):
        experts[:] = [0, 1]

    plan = plan_of(tmp_path, toy_trace(tokens=8, sequences=2, change=one_set))
    comparison = comparison_of(plan, 4, ("none", "oracle"))
    assert comparison.row("none").figures["hit_rate"] == 1
    assert comparison.row("oracle").figures["gap_closed"] is None


def test_every_figure_has_formula_unit_and_label(comparison):
    for row in comparison.rows:
        assert row.figures.keys() == MEANINGS.keys()
    assert all(meaning.formula and meaning.unit for meaning in MEANINGS.values())
    assert {meaning.label for meaning in MEANINGS.values()} <= LABELS.keys() - {"simulated"}


@pytest.mark.parametrize(
    ("prefetches", "speed_up", "interval", "word"),
    [
        (True, 1.1, Interval(1.05, 1.2), "wins"),
        (True, 0.9, Interval(0.8, 0.95), "LOSES"),
        (True, 0.9, Interval(0.8, 1.01), "unclear"),
        (True, 0.9, None, "LOSES"),
        (False, 0.9, None, "slower"),
        (False, 1.1, None, "faster"),
        (True, 1, Interval(1, 1), "same"),
    ],
)
def test_verdicts(prefetches, speed_up, interval, word):
    assert _verdict(prefetches, speed_up, interval) == word


def test_the_warm_up_is_a_tenth_up_to_a_hundred():
    assert [default_warm_up(steps) for steps in (1, 9, 10, 500, 5000)] == [0, 0, 1, 50, 100]

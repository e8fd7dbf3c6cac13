"""Are the table bits that events move those that the golden predictors look up and teach?"""

from dataclasses import replace

import pytest
from moefetch.hw.weight_rules import WeightRules
from moefetch.sim.policies import KNOWN_POLICIES, PolicyOptions
from moefetch.sim.predictors.interface import PredictorEvent
from moefetch.sim.predictors.weights import Weights
from moefetch.sim.table_traffic import bits_of_events

from .replay_fixtures import toy_trace
from .test_jobs import plan_of

E, K, L = 8, 2, 3
ROW = K * (3 + 2)
"""Bits of a row of the toy model's correlation table: 3-bit experts, 2-bit confidences."""


def job_of(tmp_path, policy, **changes):
    plan = plan_of(tmp_path, toy_trace(tokens=12, sequences=4), batch=2)
    if policy == "weights":
        plan = replace(plan, unit=plan.unit.replace(predictors=("weights",), **changes))
    return plan.job(KNOWN_POLICIES[policy], PolicyOptions())


def events_of(job):
    for number, event in enumerate(job.events):
        members = tuple(dict.fromkeys(beat.expert for beat in event.beats))
        yield PredictorEvent(number, event.layer, event.sequence_start, members)


@pytest.mark.parametrize("policy", ["st_moe", "st_moe_paper"])
def test_st_moe_by_walking_its_rules(tmp_path, policy):
    job = job_of(tmp_path, policy)
    wraps = policy == "st_moe"
    expected, before = [], None
    for event in events_of(job):
        if event.sequence_start:
            before = None
        moved = E  # the history of the event's layer is set
        if wraps or event.layer < L - 1:
            moved += len(event.members) * ROW + E
        if before is not None and (wraps or event.layer):
            moved += 2 * len(before.members) * ROW
        expected.append(moved)
        before = event
    assert bits_of_events(job).tolist() == expected


@pytest.mark.parametrize(
    "rules",
    [
        WeightRules(((1, 0), (2, 0), (0, 1)), 4),
        WeightRules(((1, 0), (2, 0), (3, 0), (4, 0), (0, 1)), 5),
        WeightRules(((2, 0), (3, 0), (0, 1)), 4, ahead=2),
    ],
)
def test_weights_as_the_golden_model_looks_rows_up(tmp_path, rules):
    job = job_of(tmp_path, "weights", weight_sources=rules.sources, weight_bits=rules.bits, weight_ahead=rules.ahead)
    assert job.unit.weight_rules == rules
    golden, looked_up, first = Weights(L, E, rules), [], 0
    for event, found in zip(events_of(job), bits_of_events(job).tolist(), strict=True):
        first = event.event if event.sequence_start else first
        golden.step(event)
        looked_up.append(sum(map(len, golden._predictions[-1].context)))
        taught = looked_up[event.event - rules.ahead] if event.event - rules.ahead >= first else 0
        assert found == (looked_up[-1] + 2 * taught) * E * rules.bits


@pytest.mark.parametrize("policy", ["none", "hints"])
def test_what_has_no_predictor_moves_no_table_bits(tmp_path, policy):
    job = job_of(tmp_path, policy)
    assert not bits_of_events(job).any()

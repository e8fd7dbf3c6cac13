"""Each policy on a trace whose hits can be counted by hand (docs/model-policies.md does)."""

import numpy as np
import pytest
from moefetch.sim.key_ranking import KeyRanking
from moefetch.sim.model_policies import MODEL_POLICIES
from moefetch.sim.model_policies.base import Candidates, ModelPolicy, PolicyInput, name_sets
from moefetch.traces.errors import UserError

from ..cycle_model.interpreted import interpreted
from .conformance import SELECTED, conformance_plan

RUN = interpreted("engine")[0].run_model


def replayed(name, **plan):
    return RUN(MODEL_POLICIES[name].job(conformance_plan(**plan)))


@pytest.mark.parametrize(
    ("name", "hits"),
    [
        ("lru", 1),
        ("lfu", 2),
        ("belady", 6),
    ],
)
def test_victims_without_prefetch(name, hits):
    """Three slots for the keys 0.0 1.0 0.1 1.1 0.2 1.0 ..: see the manual's table."""
    counters = replayed(name, slots=3).counters
    assert counters["hit"] + counters["miss"] == 16
    assert counters["hit"] == exact_hits(name, 3) == hits
    assert counters["generated"] == 0


def exact_hits(name, slots):
    """Count hits of an exact cache: the naive form of each victim rule."""
    keys = [(layer, token[layer]) for token in SELECTED for layer in range(2)]
    held, hits, uses = [], 0, dict.fromkeys(keys, 0)
    for place, key in enumerate(keys):
        uses[key] += 1
        if key in held:
            hits += 1
            held.remove(key)
        elif len(held) == slots:
            if name == "lfu":
                held.remove(min(held, key=lambda k: uses[k]))
            elif name == "belady":
                rest = keys[place + 1 :]
                held.remove(max(held, key=lambda k: rest.index(k) if k in rest else len(rest)))
            else:
                held.pop(0)
        held.append(key)
    return hits


def test_oracle_hides_everything_but_the_first_event():
    counters = replayed("oracle").counters
    assert counters["miss"] == 1
    assert counters["hit"] == 15
    assert counters["useless"] == counters["late"] == 0
    assert counters["on_target"] == counters["issued"]


def test_oracle_with_no_time_is_late():
    assert replayed("oracle", attention=0).counters["late"] > 0


def test_far_oracle_names_what_the_unit_hears_of():
    plan = conformance_plan()
    told = PolicyInput(plan)
    assert told.horizon == 2
    far = MODEL_POLICIES["oracle_far"].names(told)
    assert far.event.tolist() == [0, *range(14)]
    assert far.expert.tolist()[:3] == [SELECTED[0][1], SELECTED[1][0], SELECTED[1][1]]
    assert replayed("oracle_far").counters["miss"] == 1


def test_previous_token_names_its_sets_and_forgets_at_a_sequence_start():
    told = PolicyInput(conformance_plan(sequences=(4, 4)))
    named = MODEL_POLICIES["previous_token"].names(told)
    keys = list(zip(named.event.tolist(), named.layer.tolist(), named.expert.tolist(), strict=True))
    expected = []
    for token in range(8):
        if token not in (0, 4):
            expected.append((2 * token, 1, SELECTED[token - 1][1]))
        expected.append((2 * token + 1, 0, SELECTED[token][0]))
    assert keys == expected


def test_hot_set_keeps_the_profile_s_favourites():
    plan = conformance_plan(slots=2)
    told = PolicyInput(plan)
    assert told.uses.sum() == 2 * len(plan.profiled_rows)
    result = replayed("hot_set", slots=2)
    assert result.counters["generated"] == 16
    assert result.counters["miss"] + result.counters["hit"] + result.counters["late"] == 16


def test_a_shared_set_is_named_once():
    plan = conformance_plan(sequences=(4, 4))
    batch = type(plan)(plan.path, plan.trace, plan.workload, plan.unit, None, batch=2)
    named = name_sets(PolicyInput(batch), np.array([0]), np.array([0]))
    assert sorted(named.expert.tolist()) == sorted({SELECTED[0][0], SELECTED[4][0]})


def test_a_policy_of_one_s_own_is_a_job():
    def other(told):
        return Candidates(
            np.array([0, 0]), np.array([1, 1], np.uint8), np.array([2, 3], np.uint16), np.array([9, 8], np.uint8)
        )

    counters = RUN(ModelPolicy("mine", "names two", names=other).job(conformance_plan())).counters
    assert counters["generated"] == counters["issued"] == 2


def test_candidates_out_of_order_are_refused():
    def other(told):
        return Candidates(
            np.array([1, 0]), np.array([1, 1], np.uint8), np.array([2, 3], np.uint16), np.array([9, 8], np.uint8)
        )

    with pytest.raises(UserError, match="order of their events"):
        ModelPolicy("mine", "names two", names=other).job(conformance_plan())


def test_fixed_ranks_decide_who_gives_way():
    ranks = np.array([[9, 9, 0, 0], [9, 9, 9, 9]], np.int64)
    policy = ModelPolicy("mine", "layer 0 keeps 0 and 1", ranks=lambda told: KeyRanking("fixed", ranks))
    counters = RUN(policy.job(conformance_plan(slots=3))).counters
    assert counters["hit"] != replayed("lru", slots=3).counters["hit"]

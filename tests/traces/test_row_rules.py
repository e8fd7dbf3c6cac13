import numpy as np
import pytest
from moefetch.traces.format import ABSENT
from moefetch.traces.row_rules import DistinctExperts, ExpertIds, FiniteScores, RowOrder


def findings(rule, *batches):
    return [str(f) for batch in batches for f in rule.update(batch)] + [str(f) for f in rule.finish()]


@pytest.mark.parametrize("rule", [DistinctExperts, ExpertIds, FiniteScores, RowOrder])
def test_a_recording_keeps_the_rule(make_trace, rule):
    trace = make_trace(full=True)
    trace.experts[3, 1, 1:] = ABSENT
    assert findings(rule(), trace.select(slice(0, 9)), trace.select(slice(9, None))) == []


def test_ids_out_of_range_are_named(make_trace):
    trace = make_trace(full=True)
    trace.experts[20, 1, 2] = 16
    trace.draft_experts[0, 3, 0] = 999
    assert findings(ExpertIds(), trace) == [
        "sequence 1, token 0, layer 1: expert id out of range: experts id 16: must be below 16",
        "sequence 0, token 0, layer 3: expert id out of range: draft_experts id 999: must be below 16",
    ]


def test_duplicate_experts_are_named(make_trace):
    trace = make_trace()
    trace.experts[25, 2] = [5, 9, 5]
    assert findings(DistinctExperts(), trace) == [
        "sequence 1, token 5, layer 2: duplicate expert: expert 5 twice: must be selected once"
    ]


def test_scores_that_are_no_numbers_are_named(make_trace):
    trace = make_trace(full=True)
    trace.scores[2, 0, 1] = np.inf
    trace.hint_scores[3, 1, 0] = np.nan
    assert findings(FiniteScores(), trace) == [
        "sequence 0, token 2, layer 0: score not finite: scores value inf: must be finite",
        "sequence 0, token 3, layer 1: score not finite: hint_scores value nan: must be finite",
    ]


@pytest.mark.parametrize("cut", [1, 11, 12, 20, 21])
def test_the_order_of_rows_is_checked_across_batches(make_trace, cut):
    trace = make_trace()
    trace.position[11] = trace.position[10]
    trace.phase[4] = 2
    trace.sequence[26:] = 0
    found = findings(RowOrder(), trace.select(slice(0, cut)), trace.select(slice(cut, None)))
    assert sorted(found) == [
        "sequence 0, token 10, all layers: position not growing: must be above the previous row's",
        "sequence 0, token 4, all layers: unknown phase: 2: must be 0 or 1",
        "sequence 0, token 6, all layers: sequence split: comes again: its rows must be consecutive",
    ]


def test_positions_may_repeat_in_speculative_windows(make_trace):
    trace = make_trace(full=True)
    trace.position[11] = trace.position[8]
    assert findings(RowOrder(), trace) == []
    trace.window = None
    assert len(findings(RowOrder(), trace)) == 1

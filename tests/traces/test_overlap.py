import numpy as np
from moefetch.traces.format import ABSENT
from moefetch.traces.overlap import RowCarry, previous_token_overlap


def test_overlap_equals_sets_counted_one_by_one(make_trace):
    trace = make_trace(lengths=(9, 1, 7))
    trace.experts[3, 1, 2] = trace.experts[5, 0, 0] = ABSENT
    trace.experts[12, 2] = ABSENT
    found = previous_token_overlap(trace)
    assert found.shape == (16, 4)
    for row in range(16):
        for layer in range(4):
            before, after = (set(trace.experts[r, layer].tolist()) - {ABSENT} for r in (row, row + 1))
            if trace.sequence[row] != trace.sequence[row + 1] or not before or not after:
                assert np.isnan(found[row, layer])
            else:
                assert found[row, layer] == len(before & after) / len(after)


def test_carried_batches_have_every_pair_once(make_trace):
    trace, carry = make_trace(), RowCarry()
    batches = [trace.select(slice(i, i + 7)) for i in range(0, len(trace), 7)]
    parts = [previous_token_overlap(carry.join(batch)) for batch in batches]
    np.testing.assert_array_equal(np.concatenate(parts), previous_token_overlap(trace))

from __future__ import annotations

import numpy as np
import pytest
from moefetch.traces.errors import UserError
from moefetch.traces.format import ABSENT, DECODE, PREFILL, Trace, TraceMeta
from moefetch.traces.speculative_stats import speculative_stats


def trace() -> Trace:
    """A prefill row, a window of three rows of which one draft stayed, and a window of one row."""
    return Trace(
        TraceMeta("m", (0, 1), 8, 2, 3, 1),
        sequence=np.zeros(5, np.int32),
        position=np.array([0, 1, 2, 3, 3], np.int32),
        phase=np.array([PREFILL, DECODE, DECODE, DECODE, DECODE], np.uint8),
        token=np.arange(5, dtype=np.int32),
        experts=np.array([[[7, 6], [7, 6]], [[0, 1], [2, 3]], [[1, 2], [2, 3]], [[4, 5], [0, 1]], [[0, 1], [5, 6]]])
        .astype(np.uint16),
        window=np.array([-1, 0, 0, 0, 1], np.int32),
        accepted=np.array([True, True, True, False, True]),
        draft_experts=np.array(
            [
                [[ABSENT] * 3, [ABSENT] * 3],
                [[0, 1, 7], [2, 4, 3]],  # 2 of 2; 1 of 2: the third prediction is beyond top-k
                [[1, 3, 2], [2, 3, 0]],  # 1 of 2; 2 of 2
                [[ABSENT] * 3, [ABSENT] * 3],
                [[0, 1, 2], [7, 0, 1]],  # 2 of 2; 0 of 2
            ]
        ).astype(np.uint16),
    )  # fmt: skip


def test_figures_of_a_small_trace():
    figures = speculative_stats(trace())
    assert (figures.windows, figures.drafted) == (2, 2)
    assert figures.acceptance == 1 / 2
    assert figures.mean_accepted == 1 / 2
    assert figures.tokens_per_window == 3 / 2
    assert figures.predicted_rows == 3 / 4
    assert figures.recall == pytest.approx(((1 + 0.5 + 1) / 3, (0.5 + 1 + 0) / 3))
    # first window: 3 of {0,1,2,4,5} less expert 2, which is beyond top-k: {0,1}; then {2,3} of {0,1,2,3}
    assert figures.window_recall == pytest.approx(((2 / 5 + 1) / 2, (2 / 4 + 0) / 2))
    assert figures.mean_recall == pytest.approx(np.mean(figures.recall))
    assert figures.mean_window_recall == pytest.approx(np.mean(figures.window_recall))


def test_a_trace_without_windows_is_refused(make_trace):
    with pytest.raises(UserError, match="no speculative windows"):
        speculative_stats(make_trace())
    outside = trace()
    outside.window[:] = -1
    with pytest.raises(UserError, match="no row in a window"):
        speculative_stats(outside)

"""Are intervals the same each time, and as wide as theory says?"""

import numpy as np
import pytest
from moefetch.sim.bootstrap import RESAMPLES, draw_sequences, percentile_interval, resampled_percentiles
from moefetch.sim.metrics import percentile


def test_each_resample_draws_as_many_sequences():
    draws = draw_sequences(7)
    assert draws.shape == (RESAMPLES, 7)
    assert (draws.sum(axis=1) == 7).all()
    assert draws.mean(axis=0) == pytest.approx(np.ones(7), abs=0.15)
    assert (draws == draw_sequences(7)).all()


def test_the_interval_of_a_mean_is_two_standard_errors_each_way():
    values = np.random.default_rng(5).normal(100, 10, 400)
    low, high = percentile_interval((draw_sequences(400) @ values / 400).tolist())
    error = values.std() / np.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.2 * error)


def test_a_figure_without_a_value_in_some_resample_has_no_interval():
    assert percentile_interval([1.0, None, 2.0]) is None
    assert percentile_interval([]) is None
    assert percentile_interval([3.0, 3.0]) == (3.0, 3.0)


def test_resampled_percentiles_are_those_of_the_drawn_values():
    rng = np.random.default_rng(9)
    values, sequence = rng.integers(0, 50, 30), np.repeat(np.arange(5), 6)
    draws = draw_sequences(5)[:40]
    found = resampled_percentiles(values, sequence, draws, (0.5, 0.95, 0.99))
    for counts, row in zip(draws, found.tolist(), strict=True):
        drawn = np.repeat(values, counts[sequence]).tolist()
        assert row == [percentile(drawn, share) for share in (0.5, 0.95, 0.99)]

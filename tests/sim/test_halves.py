"""Is a trace cut in the middle, every column of it?"""

import numpy as np
from moefetch.sim.halves import halves

from .replay_fixtures import toy_trace


def test_the_second_half_follows_the_first():
    trace = toy_trace(tokens=9, sequences=3)
    first, second = halves(trace)
    assert (len(first.experts), len(second.experts)) == (4, 5)
    for name, whole in (("experts", trace.experts), ("starts", trace.sequence_starts()), ("hints", trace.hints)):
        assert (np.concatenate([getattr(first, name), getattr(second, name)]) == whole).all()


def test_a_trace_without_hints_has_none():
    assert [part.hints for part in halves(toy_trace(hints=False))] == [None, None]

"""Is the front what nothing dominates?"""

from hypothesis import given
from hypothesis import strategies as st
from moefetch.sim.pareto import pareto_front


def test_by_hand():
    #          best in x, best in y, worse than 0, equal to 1, between, worse than 4
    values = [(1, 9), (9, 1), (2, 9), (9, 1), (5, 5), (5, 6)]
    assert pareto_front(values) == [0, 1, 3, 4]
    assert pareto_front([]) == []
    assert pareto_front([(3, 3, 3)]) == [0]


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=30))
def test_every_point_off_the_front_is_beaten_by_one_on_it_and_none_on_it_by_any(values):
    front = pareto_front(values)
    assert front
    for place, mine in enumerate(values):
        better = [other for other in values if other != mine and all(a <= b for a, b in zip(other, mine, strict=True))]
        assert (place in front) == (not better)
        assert place in front or any(values[member] in better for member in front)

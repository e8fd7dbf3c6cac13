"""Do the names of points keep clear of each other?"""

import pytest
from moefetch.sim.html_report.label_places import PLACES, _box, _overlaps, _pixels, away, placed

SIZE = (600.0, 300.0)


@pytest.mark.parametrize("step", [0.02, 0.05, 0.2])
def test_names_of_a_dense_group_do_not_overlap(step):
    rows = [{"policy": f"policy_{n}", "x": n * step, "y": (n % 2) * step} for n in range(4)]
    rows += [{"policy": "far", "x": 1.0, "y": 1.0}]
    found = placed(rows, SIZE)
    boxes = [_box(row["policy"], _pixels(row, rows, SIZE), PLACES[row["place"]]) for row in found]
    assert all(_overlaps(box, [other for other in boxes if other is not box]) == 0 for box in boxes)


def test_a_name_alone_stands_above_its_point():
    assert placed([{"policy": "only", "x": 3, "y": 4}], SIZE)[0]["place"] == 0


def test_names_of_larger_points_stand_farther_away():
    assert away(PLACES[0], 14).dy == 2 * PLACES[0].dy

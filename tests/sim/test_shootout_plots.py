"""Are the plots SVG that hold a point for every figure, where it belongs?"""

import xml.etree.ElementTree as ElementTree

from moefetch.sim.shootout_plots import Axis, bits_plot, gaps_plot, recall_plot

from .shootout_fixtures import made_replays, made_shootout

SVG = "{http://www.w3.org/2000/svg}"


def shapes(text, kind):
    return list(ElementTree.fromstring(text).iter(f"{SVG}{kind}"))


def texts(text):
    return [shape.text for shape in shapes(text, "text")]


def test_an_axis_is_linear_or_logarithmic_and_ends():
    assert Axis(0, 4, ()).share(1) == 0.25
    assert Axis(10, 1000, (), is_log=True).share(100) == 0.5
    assert Axis(0, 4, ()).share(9) == 1 and Axis(0, 4, ()).share(-1) == 0


def test_recall_has_a_line_for_each_contender_and_the_set_in_a_ring():
    found = recall_plot([made_shootout("a"), made_shootout("b")])
    assert len(shapes(found, "polyline")) == 2 * 2 + 2, "and the legend's"
    assert len(shapes(found, "circle")) == 2
    assert {"a", "b", "hints", "weights"} <= set(texts(found))


def test_bits_have_a_point_for_each_that_holds_tables():
    found = bits_plot([made_shootout()])
    assert len(shapes(found, "circle")) == 1 and "hints" not in texts(found)
    assert {"1e4", "1e5"} <= set(texts(found))


def test_gaps_have_a_point_for_each_platform():
    found = gaps_plot([made_replays("a", "wide", room=9.0), made_replays("a", "slow"), made_replays("b")])
    assert len(shapes(found, "circle")) == 2 * 3, "ST-MoE and the weights, not those above 120"
    assert {"slow", "wide", "a", "b", "-50%", "100%"} <= set(texts(found))
    first, second = (float(shapes(found, "circle")[place].get("cx")) for place in (0, 1))
    assert first < second, "platforms by their room"

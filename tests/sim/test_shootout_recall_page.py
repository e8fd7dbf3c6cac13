"""Does the page of recalls have every contender, the confidence, and the matrices?"""

from moefetch.sim.shootout_recall_page import recall_page

from .shootout_fixtures import made_shootout


def test_every_figure_is_there():
    text = recall_page([made_shootout()], [{"none": {"toy": 0.5}}])
    assert "| hints | 0.800 | 0.800 | 0.800 | 0.800 | - | 2.50 | 50% | 0 | - |" in text
    assert "| weights | 0.500 | 0.600 | 0.700 | 0.900 | 0.400 | - | - | 12,000 | 23 |" in text
    assert "| 120 | 0.250 |" in text and "| toy | 6 | 0.900 | 0.910 |" in text
    assert "| none | 0.500 |" in text

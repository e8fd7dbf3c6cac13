"""Does the page of replays say who closes which gap, and every time and byte?"""

from moefetch.sim.shootout_replay_page import replay_page

from .shootout_fixtures import made_replays


def test_gaps_times_and_bytes():
    text = replay_page([made_replays("a", "slow"), made_replays("a", "wide"), made_replays("b", weights=95)])
    assert "| a | `slow` | 7 | 1.0 | 0.900 | 0.600 | 0.550 | 0.500 | 75% | 33% | 88% | 39% | yes |" in text.splitlines()
    assert text.count("**no**") == 1 and "| b | `slow` |" in text
    assert "**a**, 1,000 decode steps" in text and text.count("|  | `slow` | `wide` |") == 2
    assert "| weights | 15.0 | 15.0 |" in text and "| weights | 6.00 | 6.00 |" in text

"""Is the time left told from what was really done?"""

import pytest
from moefetch.cli.work_progress import TimeLeft, _words, work_progress


def test_what_was_there_before_took_no_time():
    now = iter([100.0, 110.0, 130.0])
    left = TimeLeft(lambda: next(now))
    assert left.seconds(40, 50) is None
    assert left.seconds(41, 50) == 90
    assert left.seconds(44, 50) == pytest.approx(45)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.4, "about 0 s left"),
        (100, "about 100 s left"),
        (130, "about 2 min left"),
        (9000, "about 2 h left"),
    ],
)
def test_words(seconds, words):
    assert _words(seconds) == words


def test_without_a_terminal_lines_come_now_and_then_and_at_the_end(capsys, monkeypatch):
    monkeypatch.setattr("moefetch.cli.work_progress.LINE_SECONDS", 0)
    with work_progress("sweeping", "points") as show:
        show(0, 2)
        show(1, 2)
        show(2, 2)
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "sweeping: 0 of 2 points",
        "sweeping: 1 of 2 points",
        "sweeping: 2 of 2 points",
    ]

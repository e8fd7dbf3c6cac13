"""Are a predictor's candidates expected in order, however far it falls behind?"""

from moefetch.hw.records import Source
from moefetch.sim.golden.candidates import PredictorLists
from moefetch.sim.golden.prefetch_queue import QueueEntry
from moefetch.sim.predictors.interface import Candidate


def lists_of(*named):
    """Return lists, one for each event, of these experts for the next event."""
    lists = PredictorLists()
    for event, experts in enumerate(named):
        lists.add(Candidate(event + 1, 0, expert, 9, Source.PREDICTOR, False) for expert in experts)
    return lists


def entry(event, expert):
    return QueueEntry(event + 1, 9, 0, expert, Source.PREDICTOR)


def test_the_oldest_of_many_lists_is_still_expected():
    lists = lists_of([1, 2], [3], [4], [5, 6])
    for event, expert in ((0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (3, 6)):
        assert lists.take(entry(event, expert)) == entry(event, expert)
    assert lists.take(entry(3, 6)) is None


def test_a_younger_list_ends_all_older_ones():
    lists = lists_of([1, 2], [3], [4, 5])
    assert lists.take(entry(2, 4)) == entry(2, 4)
    assert lists.take(entry(0, 1)) == entry(2, 5)
    assert lists.take(entry(2, 5)) == entry(2, 5)


def test_within_a_list_none_is_skipped():
    lists = lists_of([1, 2])
    assert lists.take(entry(0, 2)) == entry(0, 1)
    assert lists.take(entry(0, 2)) == entry(0, 1), "one that was not the one found stays"


def test_a_used_list_is_followed_by_the_next():
    lists = lists_of([1])
    assert lists.take(entry(0, 1)) == entry(0, 1)
    lists.add([Candidate(2, 0, 7, 9, Source.PREDICTOR, False)])
    assert lists.take(entry(1, 8)) == entry(1, 7)

"""Is the queue ordered by deadline, score and expert, and does it drop the last?"""

from moefetch.sim.golden.prefetch_queue import PrefetchQueue, QueueEntry


def entry(deadline, score, expert):
    return QueueEntry(deadline, score, 0, expert, 0)


def test_order():
    queue = PrefetchQueue(8)
    for values in [(9, 200, 0), (7, 5, 3), (7, 90, 6), (7, 90, 2), (8, 90, 1)]:
        assert queue.insert(entry(*values)) is None
    assert [e.expert for e in queue.entries] == [2, 6, 3, 1, 0]
    assert queue.pop_first().expert == 2
    assert not queue.holds(0, 2)
    assert queue.holds(0, 6)
    assert not queue.holds(1, 6)


def test_overflow_drops_the_last_the_new_one_included():
    queue = PrefetchQueue(2)
    queue.insert(entry(7, 10, 1))
    queue.insert(entry(8, 10, 2))
    assert queue.insert(entry(8, 11, 3)).expert == 2
    worst = entry(8, 10, 2)
    assert queue.insert(worst) is worst
    assert [e.expert for e in queue.entries] == [1, 3]
    assert not queue.holds(0, 2)


def test_flush_empties():
    queue = PrefetchQueue(2)
    queue.insert(entry(7, 10, 1))
    assert [e.expert for e in queue.flush()] == [1]
    assert len(queue) == 0
    assert not queue.holds(0, 1)

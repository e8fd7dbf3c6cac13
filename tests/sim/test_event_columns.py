"""Are the columns of a trace's events the events that are made one by one?"""

import numpy as np
import pytest
from moefetch.sim.event_columns import EventColumns, event_columns
from moefetch.sim.replay_events import replay_events

from .replay_fixtures import toy_trace

ABSENT = 0xFFFF


def with_gaps(chosen):
    chosen[3, 1, 1] = ABSENT
    chosen[5, 2] = ABSENT
    chosen[7, :, 0] = ABSENT


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("hints", [False, True])
@pytest.mark.parametrize("change", [None, with_gaps])
@pytest.mark.parametrize("tokens", [None, 5])
def test_columns_are_the_events(batch, hints, change, tokens):
    trace = toy_trace(change=change)
    expected = replay_events(trace, tokens=tokens, batch=batch, hints=hints)
    found = event_columns(trace, tokens=tokens, batch=batch, hints=hints)
    assert list(found) == expected
    assert list(EventColumns.of(expected)) == expected
    assert found.tokens == sum(beat.token_last for e in expected if e.step_first for beat in e.beats)


def test_columns_are_a_sequence():
    events = event_columns(toy_trace())
    assert events[-1] == events[len(events) - 1]
    assert list(events[2:5]) == [events[2], events[3], events[4]]
    with pytest.raises(IndexError):
        events[len(events)]
    assert events == list(events)
    assert events != list(events)[1:]


def test_hints_of_several_tokens_keep_the_best_score():
    trace = toy_trace()
    trace.hints[:, 1] = np.array([[3, 3]])
    assert list(event_columns(trace, batch=4, hints=True)) == replay_events(trace, batch=4, hints=True)

"""Are first and next uses those that a walk over the events finds?"""

import numpy as np
import pytest
from moefetch.sim.event_columns import event_columns
from moefetch.sim.key_ranking import NEVER, first_uses, next_uses

from .replay_fixtures import toy_trace


@pytest.mark.parametrize("batch", [1, 4])
def test_uses_are_those_of_a_walk(batch):
    events = event_columns(toy_trace(), batch=batch)
    expected, beat = [], 0
    for number, event in enumerate(events):
        for one in event.beats:
            later = (
                n
                for n in range(number + 1, len(events))
                if events[n].layer == event.layer and any(other.expert == one.expert for other in events[n].beats)
            )
            expected.append(next(later, NEVER))
            beat += 1
    assert next_uses(events).tolist() == expected
    first = first_uses(events, 3, 8)
    for layer in range(3):
        for expert in range(8):
            uses = [n for n, e in enumerate(events) if e.layer == layer and any(b.expert == expert for b in e.beats)]
            assert first[layer, expert] == (uses[0] if uses else NEVER)
    assert np.all(first >= 0)

from __future__ import annotations

import numpy as np
import pytest
from moefetch.traces.format import DECODE, PREFILL, Trace, TraceMeta
from moefetch.traces.window_rules import WindowOrder


def speculative() -> Trace:
    """Two sequences: two prefill rows, a window of three rows with one rejection, a window of two."""
    n = 14
    return Trace(
        TraceMeta("m", (0,), 8, 2),
        sequence=np.repeat([0, 1], 7).astype(np.int32),
        position=np.tile([0, 1, 2, 3, 4, 4, 5], 2).astype(np.int32),
        phase=np.tile([PREFILL] * 2 + [DECODE] * 5, 2).astype(np.uint8),
        token=np.arange(n, dtype=np.int32),
        experts=np.tile(np.array([[0, 1]], np.uint16), (n, 1, 1)),
        window=np.array([-1, -1, 0, 0, 0, 1, 1, -1, -1, 2, 2, 2, 3, 3], np.int32),
        accepted=np.tile([True, True, True, True, False, True, True], 2),
    )


def findings(trace: Trace, size: int = 100) -> list[str]:
    rule = WindowOrder()
    parts = [trace.select(slice(at, at + size)) for at in range(0, len(trace), size)]
    return [str(found) for part in parts for found in rule.update(part)] + [str(found) for found in rule.finish()]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_windows_of_greedy_verification_are_sound(size):
    assert findings(speculative(), size) == []


@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("position", 4, 5, "sequence 0, token 5, all layers: window with a gap: window 0: positions of a window"),
        ("accepted", 5, False, "sequence 0, token 4, all layers: window not begun: window 1: its first token must"),
        ("accepted", 3, False, None),
        ("accepted", 0, False, "sequence 0, token 0, all layers: rejected outside of a window: window -1"),
        ("window", 12, 1, "sequence 1, token 4, all layers: window order: window 1: a sequence's window numbers"),
    ],
)
def test_each_broken_window_is_named(size, column, row, value, message):
    trace = speculative()
    getattr(trace, column)[row] = value
    if message is None:
        assert findings(trace, size) == []  # an earlier rejection is sound
        trace.accepted[4] = True
        message = "sequence 0, token 4, all layers: accepted after a rejection: window 0: nothing after it"
    found = findings(trace, size)
    assert found and found[0].startswith(message), found


def test_a_trace_without_windows_has_nothing_to_check(make_trace):
    assert findings(make_trace()) == []

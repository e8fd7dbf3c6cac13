"""A trace in two halves: the first is learnt from beforehand, the second is measured."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..traces.format import Trace


class Part(NamedTuple):
    """Tokens of a trace: experts [T, L, K], sequence starts [T], and the hints [T, L, H] where recorded."""

    experts: NDArray[np.uint16]
    starts: NDArray[np.bool_]
    hints: NDArray[np.uint16] | None


def halves(trace: Trace) -> tuple[Part, Part]:
    """Return the two halves of a trace's tokens."""
    starts, half = trace.sequence_starts(), len(trace) // 2
    first, second = (
        Part(trace.experts[part], starts[part], None if trace.hints is None else trace.hints[part])
        for part in (slice(0, half), slice(half, None))
    )
    return first, second

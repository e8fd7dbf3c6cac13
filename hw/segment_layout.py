"""How experts lie in memory in several pieces, as checkpoints have them: a tensor for each projection, or for scales.

The one place that RTL, software and benches ask. Free of Amaranth.
"""

from collections.abc import Iterable
from typing import NamedTuple

from .config import UnitConfig

STRIDE_BITS = 32
"""Width of a segment's stride."""
SEGMENT_WORDS = 4
"""32-bit words of a segment in the unit's table: base (low, high), stride, beats."""


class Segment(NamedTuple):
    """A part of every expert of one layer: that of expert e lies at `base + e * stride`, all in bytes.

    A segment of `length` 0 is none.
    """

    base: int
    stride: int
    length: int


def expert_pieces(segments: Iterable[Segment], expert: int) -> list[tuple[int, int]]:
    """Return (address, bytes) of an expert's pieces, in the order in which they follow each other in its slot."""
    return [(segment.base + expert * segment.stride, segment.length) for segment in segments if segment.length]


def segment_words(config: UnitConfig, segment: Segment) -> list[int]:
    """Return a segment as the words that the unit's table takes.

    Raises ValueError, naming field, value and rule, for what the unit would reject.
    """
    limits = {"base": 1 << 64, "stride": 1 << STRIDE_BITS, "length": config.slot_bytes + 1}
    for name, value in segment._asdict().items():
        if not 0 <= value < limits[name] or value % config.bus_bytes:
            rule = f"must be a multiple of bus_bytes = {config.bus_bytes}, 0 to {limits[name] - 1:#x}"
            raise ValueError(f"{name} = {value:#x}: {rule}")
    return [segment.base & 0xFFFFFFFF, segment.base >> 32, segment.stride, segment.length // config.bus_bytes]

"""The DMA's unit of work: one AXI read burst of one transfer."""

from amaranth.lib import data
from amaranth.utils import exact_log2

from .config import UnitConfig, bits_for
from .interfaces import MAX_BURST_BEATS

LINE_BYTES = 4096
"""No AXI burst may cross a multiple of this."""

LENGTH_BITS = bits_for(MAX_BURST_BEATS)
"""Width of a burst's length, which is beats - 1 as in AxLEN."""


def transfer_count(config: UnitConfig) -> int:
    """Return how many transfers may be under way at once: one for each burst, one for each request engine."""
    return config.outstanding + 2


def transfer_bits(config: UnitConfig) -> int:
    """Return the width of an index into the transfers under way."""
    return bits_for(transfer_count(config))


def word_bits(config: UnitConfig) -> int:
    """Return the width of an address that counts bus words."""
    return 64 - exact_log2(config.bus_bytes)


def burst_layout(config: UnitConfig) -> data.StructLayout:
    """Return a burst: `length` + 1 beats from bus word `word` to the slot's words from `first` on."""
    return data.StructLayout(
        {
            "transfer": transfer_bits(config),
            "slot": config.slot_bits,
            "word": word_bits(config),
            "first": bits_for(config.slot_beats),
            "length": LENGTH_BITS,
        }
    )
